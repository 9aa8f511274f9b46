import { Button, Group, MultiSelect, Select, TextInput } from "@mantine/core";
import { type Filter, noFilter } from "./api";

export function Filters({ filter, onChange }: { filter: Filter; onChange: (f: Filter) => void }) {
  const touched = filter.text || filter.decision.length || filter.exposure.length || filter.kind;
  return (
    <Group gap="sm" align="end">
      <TextInput
        label="Find"
        placeholder="CVE, alias or asset"
        value={filter.text}
        onChange={(e) => onChange({ ...filter, text: e.currentTarget.value })}
        w={280}
      />
      <MultiSelect
        label="Exposure"
        placeholder={filter.exposure.length ? undefined : "any"}
        data={["open", "controlled", "small", "unknown"]}
        value={filter.exposure}
        onChange={(exposure) => onChange({ ...filter, exposure })}
        w={240}
        clearable
      />
      <Select
        label="Kind"
        placeholder="any"
        data={["vulnerability", "misconfiguration", "malware", "secret", "code", "detection"]}
        value={filter.kind || null}
        onChange={(kind) => onChange({ ...filter, kind: kind ?? "" })}
        w={190}
        clearable
      />
      {touched ? <Button variant="subtle" onClick={() => onChange(noFilter)}>Clear</Button> : null}
    </Group>
  );
}
