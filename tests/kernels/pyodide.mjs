// Runs Python in WebAssembly: node pyodide.mjs MODULE REPOSITORY < {"data": …, "plain": CODE, "numpy": CODE}
// Prints a line of JSON: what each code leaves in `result`, or why NumPy could not be loaded.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [module, repository] = process.argv.slice(2);
const given = JSON.parse(readFileSync(0, "utf8"));
const { loadPyodide } = await import(pathToFileURL(module));
const pyodide = await loadPyodide({ stdout: console.error });
pyodide.FS.mkdir("/repository");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: repository }, "/repository");
pyodide.globals.set("data", JSON.stringify(given.data));
pyodide.runPython("import sys; sys.dont_write_bytecode = True; sys.path.insert(0, '/repository')");

const left = (code) => JSON.parse(pyodide.runPython(`import json\n${code}\njson.dumps(result)`));
const said = { plain: left(given.plain) };
let lacking = null;
try {
  await pyodide.loadPackage("numpy", { messageCallback: console.error, errorCallback: console.error });
  pyodide.runPython("import numpy");
} catch (error) {
  lacking = String(error).match(/^\w*Error: .*$/gm)?.at(-1) ?? String(error);
}
if (lacking === null) said.numpy = left(given.numpy);
else said.lacking = lacking;
console.log(JSON.stringify(said));
