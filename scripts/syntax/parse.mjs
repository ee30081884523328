// Reads lines of JSON, {"text", "language"}, and answers each with the JSON list of its syntax errors. JavaScript is
// judged by V8, as a script or a module; TypeScript by its own compiler, which the first argument names.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import vm from "node:vm";

const ts = process.argv[2] ? createRequire(import.meta.url)(process.argv[2]) : undefined;

function errorOf(parse) {
  try {
    parse();
    return undefined;
  } catch (error) {
    return String(error.message);
  }
}

function javascript(text) {
  const asScript = errorOf(() => new vm.Script(text));
  const asModule = asScript && errorOf(() => new vm.SourceTextModule(text));
  return asScript && asModule ? [/^\s*(import|export)\b/m.test(text) ? asModule : asScript] : [];
}

function typescript(text, file) {
  const parsed = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false);
  return parsed.parseDiagnostics.map((found) => ts.flattenDiagnosticMessageText(found.messageText, " "));
}

for await (const line of createInterface({ input: process.stdin })) {
  const { text, language } = JSON.parse(line);
  const errors = language === "javascript" ? javascript(text) : typescript(text, "file.ts");
  process.stdout.write(`${JSON.stringify(errors)}\n`);
}
