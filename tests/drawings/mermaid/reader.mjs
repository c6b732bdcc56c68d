// Reads state diagrams as Mermaid does: for each line of JSON, a text, one with what it made of it.
// The first argument is the folder that tools/mermaid installed the packages into.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const modules = join(process.argv[2], "node_modules");
globalThis.console = new console.Console(process.stderr);

// Texts of labels are cleaned by what needs a document.
const { JSDOM } = createRequire(join(modules, "any.js"))("jsdom");
const { window } = new JSDOM("<body></body>");
Object.assign(globalThis, { window, document: window.document });
const core = join(modules, "mermaid", "dist", "mermaid.core.mjs");
const { default: mermaid } = await import(pathToFileURL(core).href);

const SIGNS = { lt: "<", gt: ">", amp: "&" };

// A label as it is shown: Mermaid hides `#…;` while it reads, and shows it as a character.
const shown = (text) =>
  [text ?? ""]
    .flat()
    .join("<br/>")
    .replace(/ﬂ°°(\d+)¶ß/g, (_, code) => String.fromCodePoint(Number(code)))
    .replace(/ﬂ°(\w+)¶ß/g, (_, name) => SIGNS[name] ?? name)
    .split(/<br ?\/?>/);

async function read(text) {
  const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
  const { nodes, edges } = db.getData();
  return {
    nodes: nodes.map((node) => ({
      id: node.id,
      label: [...shown(node.label), ...(node.description ?? []).flatMap(shown)],
      parent: node.parentId ?? "",
      shape: node.shape,
      classes: node.cssClasses ?? "",
    })),
    edges: edges.map((edge) => ({ start: edge.start, end: edge.end, label: shown(edge.label) })),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const text = JSON.parse(line);
    const { config } = await mermaid.parse(text); // what a text may set, and should not
    answer = { ...(await read(text)), config };
  } catch (problem) {
    answer = { problem: String(problem.message ?? problem) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
