// Burns CPU for ever.
console.log('spinning');
for (;;);
