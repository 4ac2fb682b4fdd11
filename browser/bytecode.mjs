// Runs a Python file in the Pyodide that lies in a folder, which that Python finds at /pyodide.
//   node bytecode.mjs FOLDER FILE

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, file] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`));
const pyodide = await loadPyodide();
pyodide.FS.mkdir("/pyodide");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: folder }, "/pyodide");
pyodide.runPython(readFileSync(file, "utf8"));
