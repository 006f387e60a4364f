// The code that a new function starts from.

const STARTERS = {
  "python script": `import sys

name = sys.argv[1] if len(sys.argv) > 1 else "world"
print(f"Hello, {name}!")
`,
  "python handler": `def handler(event, context):
    name = event.get("name", "world")
    print("called with", event)
    return {"message": f"Hello, {name}!"}
`,
  "javascript script": `const name = process.argv[2] ?? "world";
console.log(\`Hello, \${name}!\`);
`,
  "javascript handler": `export const handler = async (event) => {
  console.log("called with", event);
  return { message: \`Hello, \${event.name ?? "world"}!\` };
};
`,
};

export const starter = (language, isHandler) => STARTERS[`${language} ${isHandler ? "handler" : "script"}`];

/** Whether nobody has written in it yet. */
export const isStarter = (code) => code.trim() === "" || Object.values(STARTERS).includes(code);

/** What a file's name says about its language; null where it says nothing. */
export function languageOf(name) {
  if (/\.py$/i.test(name)) return "python";
  if (/\.([cm]?js)$/i.test(name)) return "javascript";
  return null;
}
