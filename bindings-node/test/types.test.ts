// Compiled under `strict`, never run: what applications write has the types they expect.
import {
  FunctionError,
  LambdaError,
  Platform,
  type FunctionInfo,
  type Outcome,
  type Page,
} from 'lambdabox';

export async function sample(signal: AbortSignal): Promise<number> {
  await using platform = await Platform.open({ dataDir: '/tmp/x', pool: { sandboxesMax: 4 } });
  const info: FunctionInfo = await platform.deploy({ path: 'greet.mjs', handler: 'greet.handler' });
  const created: Date = info.createdAt;
  const greeting: string = await platform.invoke<string>(info.name, { name: 'Alice' }, { signal });
  const outcome: Outcome<number[]> = await platform.execute<number[]>('list', { args: ['a'] });
  const first: number | undefined = outcome.output?.[0];
  const add = await platform.deployFunction((event: { a: number; b: number }) => event.a + event.b, {
    name: 'add',
  });
  let sum: number = await add({ a: 1, b: 2 });
  for await (const each of add.map([{ a: 1, b: 2 }], { concurrency: 2 })) sum += each;
  for await (const each of platform.map<number, string>('x', [1], { returnErrors: true })) {
    console.log(each instanceof LambdaError ? each.code : each.length);
  }
  const page: Page<FunctionInfo> = await platform.functionList({ limit: 10 });
  for await (const event of await platform.followFunction('x')) {
    if (event.kind === 'output') console.log(event.seenAt.getTime(), event.stream, event.text);
    else if (event.kind === 'end') console.log(event.requestId, event.status);
  }
  const tested: Outcome<number> = await platform.test<number>({ code: '1', language: 'python' }, { signal });
  await platform.cancel(tested.requestId);
  // @ts-expect-error: a field that does not exist
  await platform.deploy({ name: 'x', timeout: 5 });
  // @ts-expect-error: the event has the function's own type
  await add({ a: '1', b: 2 });
  try {
    await platform.invoke('x');
  } catch (error) {
    if (error instanceof FunctionError) console.log(error.type, error.remoteStack.join('\n'));
    else if (error instanceof LambdaError && error.retryable) console.log(error.retryAfterMs);
  }
  console.log(created, greeting, first, page.next);
  return sum;
}
