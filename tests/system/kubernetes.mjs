// node kubernetes.mjs MODULES FILE...: every object of these YAML files against the schema of Kubernetes' API: unknown
// keys and types by the TypeScript compiler, values by the schema's validators. Prints what is wrong; exit 1 if anything is.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const { parseAllDocuments } = require("yaml");
const ts = require("typescript");

const wrong = [];
const lines = [];
for (const file of files) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"), { uniqueKeys: true })) {
    for (const error of [...document.errors, ...document.warnings]) wrong.push(`${file}: ${error.message}`);
    const object = document.toJS();
    if (!object) continue;
    const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion];
    const model = join(group, version, object.kind);
    const name = `${file}: ${object.kind} ${object.metadata?.name}`;
    try {
      const url = pathToFileURL(join(modules, "node_modules/kubernetes-models", `${model}.js`));
      new (await import(url))[object.kind](object).validate();
    } catch (error) {
      wrong.push(`${name}: ${error.message}`);
      continue;
    }
    const number = lines.length;
    lines.push(`import { I${object.kind} as T${number} } from "kubernetes-models/${model}"; ` +
               `export const o${number}: T${number} = ${JSON.stringify(object)};`);
  }
}
const source = join(modules, "objects.ts");
writeFileSync(source, lines.join("\n"));
const program = ts.createProgram([source], { noEmit: true, strict: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [] });
for (const diagnostic of ts.getPreEmitDiagnostics(program))
  wrong.push(ts.flattenDiagnosticMessageText(diagnostic.messageText, " "));
console.log(wrong.join("\n") || `${lines.length} objects`);
process.exitCode = wrong.length ? 1 : 0;
