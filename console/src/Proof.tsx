import cytoscape from "cytoscape";
import { useEffect, useRef } from "react";
import type { Drawing } from "./api";

const stateColor: Record<string, string> = { open: "#2f9e44", blocks: "#e03131", unknown: "#f08c00", beyond: "#868e96" };

/** Draws the path as the server laid it out, one node a hop. */
export function Proof({ drawing }: { drawing: Drawing }) {
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!frame.current) return;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const graph = cytoscape({
      container: frame.current,
      layout: { name: "preset", fit: true, padding: 12 },
      userZoomingEnabled: false,
      autoungrabify: true,
      boxSelectionEnabled: false,
      elements: {
        nodes: (drawing.nodes ?? []).map((n) => ({
          data: { id: n.id, text: `${n.type}\n${n.label}`, color: stateColor[n.state] },
          classes: n.state,
          position: { x: n.x, y: n.y },
        })),
        edges: (drawing.edges ?? []).map((e) => ({ data: { source: e.from, target: e.to }, classes: e.open ? "open" : "shut" })),
      },
      style: [
        {
          selector: "node",
          style: {
            shape: "round-rectangle", width: 158, height: 56, label: "data(text)", "text-wrap": "wrap", "text-max-width": "152px", "text-overflow-wrap": "anywhere",
            "text-valign": "center", "text-halign": "center", "font-size": 10.5, color: dark ? "#e9ecef" : "#212529",
            "background-color": dark ? "#1a222b" : "#ffffff", "border-width": 2, "border-color": "data(color)",
          },
        },
        { selector: "node.blocks", style: { "border-width": 4, "background-color": dark ? "#3b1a1a" : "#fff5f5" } },
        { selector: "node.beyond", style: { "border-style": "dashed" } },
        { selector: "edge", style: { width: 2.5, "curve-style": "straight", "target-arrow-shape": "triangle", "line-color": stateColor.open, "target-arrow-color": stateColor.open } },
        { selector: "edge.shut", style: { "line-style": "dashed", "line-color": stateColor.beyond, "target-arrow-color": stateColor.beyond } },
      ],
    });
    return () => graph.destroy();
  }, [drawing]);
  return <div ref={frame} role="img" aria-label="The way from the internet, hop by hop; the list below says the same" style={{ height: Math.min(460, Math.max(130, drawing.height * 0.95)), width: "100%" }} />;
}
