import { Alert, Anchor, Badge, Code, Group, Loader, Stack, Table, Text, Timeline, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type Change, type Risk, getRisk } from "./api";
import { Proof } from "./Proof";
import { exposureColor, outcomeColor } from "./words";

export function RiskDetail({ id }: { id: string }) {
  const { data, error } = useQuery({ queryKey: ["risk", id], queryFn: () => getRisk(id) });
  if (error) return <Alert color="red">{error.message}</Alert>;
  if (!data) return <Loader />;
  const { risk, drawing, history } = data;
  return (
    <Stack gap="lg" data-testid="detail">
      <Stack gap={6}>
        <Group gap="sm">
          <Badge size="lg" color={outcomeColor[risk.decision]} data-testid="detail-decision">{risk.decision}</Badge>
          <Title order={3}>{risk.finding.id}</Title>
          <Text c="dimmed">{risk.asset.kind} {risk.asset.name}</Text>
        </Group>
        <Text>{risk.sentence}</Text>
        {risk.fix?.detail && <Alert color="blue" variant="light" title="Smallest fix">{risk.fix.detail}</Alert>}
      </Stack>

      <section>
        <Group gap="xs" mb={4}>
          <Title order={4}>The way from the internet</Title>
          <Badge color={exposureColor[risk.exposure]} variant="light">{risk.exposure}</Badge>
          {risk.port ? <Badge variant="default">{risk.protocol || "tcp"} {risk.port}</Badge> : null}
        </Group>
        <Proof drawing={drawing} />
        <ol className="hops" aria-label="Hops">
          {(drawing.nodes ?? []).map((n) => (
            <li key={n.id} data-state={n.state} data-hop={n.type}>
              <Text size="sm" fw={600}>{n.type}</Text>
              <div>
                <span className="mono">{n.label}</span>
                {n.detail && <Text size="sm">{n.detail}</Text>}
                {n.source && <Text size="xs" c="dimmed">{n.source}</Text>}
              </div>
            </li>
          ))}
        </ol>
        {(risk.unread ?? []).map((u) => (
          <Alert key={`${u.scope} ${u.section}`} color="yellow" variant="light">Not read: {u.section} {u.scope && `of ${u.scope}`} — {u.reason}</Alert>
        ))}
      </section>

      <section>
        <Title order={4} mb={4}>Why this decision</Title>
        <Table verticalSpacing={6}>
          <Table.Thead><Table.Tr><Table.Th w={120}>Input</Table.Th><Table.Th w={110}>Value</Table.Th><Table.Th>Because</Table.Th><Table.Th>What would change it</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {(risk.inputs ?? []).map((i) => (
              <Table.Tr key={i.name}><Table.Td>{i.name}</Table.Td><Table.Td><b>{i.value}</b></Table.Td><Table.Td>{i.reason}</Table.Td><Table.Td c="dimmed">{i.change}</Table.Td></Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>

      {(risk.packages ?? []).length > 0 && <Packages risk={risk} />}
      <History changes={history ?? []} />
    </Stack>
  );
}

function Packages({ risk }: { risk: Risk }) {
  return (
    <section>
      <Title order={4} mb={4}>Packages</Title>
      <Table verticalSpacing={4}>
        <Table.Thead><Table.Tr><Table.Th>Package</Table.Th><Table.Th>Installed</Table.Th><Table.Th>Fixed in</Table.Th><Table.Th>Where</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {(risk.packages ?? []).map((p) => (
            <Table.Tr key={`${p.purl} ${p.path}`}>
              <Table.Td>{p.package}</Table.Td><Table.Td><Code>{p.version}</Code></Table.Td><Table.Td>{p.fixed ? <Code>{p.fixed}</Code> : "no fix known"}</Table.Td>
              <Table.Td className="mono"><Text size="xs">{p.path}</Text></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </section>
  );
}

function History({ changes }: { changes: Change[] }) {
  if (changes.length === 0) return null;
  const outcome = (doc: unknown) => (doc as { decision?: string } | undefined)?.decision ?? "";
  return (
    <section>
      <Title order={4} mb="xs">History</Title>
      <Timeline bulletSize={14} lineWidth={2}>
        {[...changes].reverse().map((c) => (
          <Timeline.Item key={c.seq} title={c.before ? `${outcome(c.before)} → ${outcome(c.after) || "gone"}` : `first seen as ${outcome(c.after)}`}>
            <Text size="xs" c="dimmed">{new Date(c.at).toLocaleString("en-GB")} · {c.cause}</Text>
          </Timeline.Item>
        ))}
      </Timeline>
      <Anchor size="xs" href={`/api/v1/changes?after=${Math.max(0, changes[0].seq - 1)}`} target="_blank">in the change log</Anchor>
    </section>
  );
}
