import { Badge, Group, Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { createColumnHelper, flexRender, getCoreRowModel, useReactTable } from "@tanstack/react-table";
import { useRef } from "react";
import type { Risk } from "./api";
import { exposureColor, kindName, outcomeColor, percent, shortName } from "./words";

const column = createColumnHelper<Risk>();

const columns = [
  column.accessor("decision", {
    header: "Decision",
    cell: (c) => <Badge color={outcomeColor[c.getValue()]} variant={c.getValue() === "immediate" ? "filled" : "light"} fullWidth>{c.getValue()}</Badge>,
  }),
  column.accessor("finding.id", {
    header: "Finding",
    cell: (c) => {
      const r = c.row.original;
      const facts = [r.severity, r.exploitation === "active" ? "exploited" : r.exploitation === "public-poc" ? "public exploit" : "", r.epss ? `EPSS ${percent(r.epss)}` : ""].filter(Boolean);
      return (
        <>
          <Text size="sm" fw={600} truncate>{c.getValue()}</Text>
          <Text size="xs" c={r.exploitation === "active" ? "red" : "dimmed"} truncate>{facts.join(" · ")}</Text>
        </>
      );
    },
  }),
  column.accessor("asset.name", {
    header: "Where",
    cell: (c) => {
      const { head, tail } = shortName(c.getValue());
      const kind = c.row.original.asset.kind;
      return (
        <>
          <Text size="sm" truncate>{head}</Text>
          <Text size="xs" c="dimmed" truncate>{kindName[kind] ?? kind}{tail && ` · ${tail}`}</Text>
        </>
      );
    },
  }),
  column.accessor("exposure", {
    header: "Exposure",
    cell: (c) => <Badge color={exposureColor[c.getValue()]} variant="dot" size="sm">{c.getValue()}</Badge>,
  }),
  column.accessor("sentence", {
    header: "Why",
    cell: (c) => <Text size="sm" lineClamp={2} title={c.getValue()}>{c.getValue()}</Text>,
  }),
];

interface Props {
  risks: Risk[];
  selected: string | null;
  onSelect: (id: string) => void;
  /** Ids of the risks that changed lately. */
  changed: string[];
}

/** The ranked list; only the rows in sight are in the page. */
export function RiskTable({ risks, selected, onSelect, changed }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const table = useReactTable({ data: risks, columns, getCoreRowModel: getCoreRowModel(), getRowId: (r) => r.id });
  const rows = table.getRowModel().rows;
  const window = useVirtualizer({ count: rows.length, getScrollElement: () => frame.current, estimateSize: () => 56, overscan: 8 });

  if (rows.length === 0) {
    return <Group p="xl"><Text c="dimmed">No risk here. Widen the filter, or scan an image and collect what runs.</Text></Group>;
  }
  return (
    <div role="grid" aria-label="Ranked risks" aria-rowcount={rows.length}>
      <div className="row head" role="row">
        {table.getFlatHeaders().map((h) => <div key={h.id} role="columnheader">{flexRender(h.column.columnDef.header, h.getContext())}</div>)}
      </div>
      <div ref={frame} style={{ overflow: "auto", maxHeight: "calc(100vh - 330px)", minHeight: 240 }}>
        <div style={{ height: window.getTotalSize(), position: "relative" }}>
          {window.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return (
              <div
                key={row.id}
                role="row"
                tabIndex={0}
                className={changed.includes(row.id) ? "row changed" : "row"}
                aria-selected={row.id === selected}
                data-risk={row.id}
                data-decision={row.original.decision}
                style={{ position: "absolute", top: item.start, height: item.size }}
                onClick={() => onSelect(row.id)}
                onKeyDown={(e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); onSelect(row.id); } }}
              >
                {row.getVisibleCells().map((c) => <div key={c.id} role="gridcell">{flexRender(c.column.columnDef.cell, c.getContext())}</div>)}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
