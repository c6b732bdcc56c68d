#!/bin/sh
# Package    pydot 4.0.1
# Question   A program draws the states of a machine, each as pydot.Node(name). Does every name become a node?
# Good guess Yes: pydot quotes what needs quotes, as it does for "a-b", "1a" and "two words".
# Behaviour  Not "node", "edge" and "graph". Without attributes such a node is left out of the output; with attributes it turns into a
#            statement about all others: Node("node", color="red") colours the whole graph. Edges to it are written with quotes, so
#            Graphviz draws a bare node at their end. And "a:b" becomes node a, while an edge to it leads to port b of a.
# Why        Those three names are pydot's own way to write defaults, and a colon is its way to write a port; quoting comes after.
#            A name that has its quotes already, Node('"node"'), is written as it is.
# Seen       digraph G { node [color=red]; a; a:b -> "node"; "two words"; }
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q pydot==4.0.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import pydot

graph = pydot.Dot("G")
for node in (pydot.Node("node", color="red"), pydot.Node("edge"), pydot.Node("graph"), pydot.Node("a:b")):
    graph.add_node(node)
graph.add_edge(pydot.Edge("a:b", "node"))
graph.add_node(pydot.Node("two words"))
text = " ".join(graph.to_string().split())
print(text)
written = [part for part in text.removeprefix("digraph G {").removesuffix("}").split(";") if part.strip()]
assert sorted(part.strip() for part in written) == ['"two words"', "a", 'a:b -> "node"', "node [color=red]"]
quoted = pydot.Dot("G")
quoted.add_node(pydot.Node('"node"'))
assert '"node";' in quoted.to_string()
EOF
