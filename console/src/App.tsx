import { Alert, AppShell, Badge, Box, Code, Drawer, Group, Loader, Paper, SimpleGrid, Stack, Text, Title, Tooltip } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { type Filter, Refused, getStatus, listRisks, noFilter, openSession } from "./api";
import { Filters } from "./Filters";
import { useLive } from "./live";
import { RiskDetail } from "./RiskDetail";
import { RiskTable } from "./RiskTable";
import { outcomeColor, outcomeMeaning, outcomes } from "./words";

const pageLimit = 1000;

export function App() {
  const session = useQuery({ queryKey: ["session"], queryFn: () => openSession().then(() => true), retry: false, staleTime: Infinity });
  if (session.isPending) return <Loader m="xl" />;
  if (session.error) return <Refusal error={session.error} />;
  return <Risks />;
}

function Risks() {
  const [filter, setFilter] = useState<Filter>(noFilter);
  const [text] = useDebouncedValue(filter.text, 150);
  const [selected, select] = useSelection();
  const asked = useMemo(() => ({ ...filter, text }), [filter, text]);
  const risks = useQuery({ queryKey: ["risks", asked], queryFn: () => listRisks(asked, pageLimit), placeholderData: keepPreviousData });
  const status = useQuery({ queryKey: ["status"], queryFn: getStatus });
  const { connected, arrivals } = useLive(risks.data?.position);

  if (risks.error) return <Refusal error={risks.error} />;
  const counts = risks.data?.counts ?? {};
  const rows = risks.data?.risks ?? [];
  const total = Object.values(counts).reduce((a, b) => a + b, 0);
  const latest = arrivals[0];

  return (
    <AppShell header={{ height: 56 }} padding="md">
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between">
          <Group gap="xs">
            <img src="/triad.svg" alt="" width={26} />
            <Title order={3}>Triad</Title>
            {status.data?.demo && <Badge color="grape" variant="light">demo estate</Badge>}
          </Group>
          <Group gap="sm">
            {status.data && (
              <Text size="sm" c="dimmed">
                {status.data.assets.toLocaleString("en")} assets judged · {status.data.recomputed} again after the last change
              </Text>
            )}
            <Tooltip label={connected ? "Changes arrive by themselves" : "Trying to reach the server"}>
              <Badge color={connected ? "green" : "gray"} variant="dot" data-testid="live">{connected ? "live" : "offline"}</Badge>
            </Tooltip>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main>
        <Stack gap="md">
          <SimpleGrid cols={{ base: 2, sm: 4 }}>
            {outcomes.map((o) => (
              <button
                key={o}
                type="button"
                className="tile"
                aria-pressed={filter.decision.includes(o)}
                onClick={() => setFilter({ ...filter, decision: filter.decision.includes(o) ? filter.decision.filter((x) => x !== o) : [...filter.decision, o] })}
              >
                <Group justify="space-between" wrap="nowrap">
                  <Box>
                    <Text fw={600} c={outcomeColor[o]}>{o}</Text>
                    <Text size="xs" c="dimmed">{outcomeMeaning[o]}</Text>
                  </Box>
                  <Text fz={28} fw={700} data-testid={`count-${o}`}>{counts[o] ?? 0}</Text>
                </Group>
              </button>
            ))}
          </SimpleGrid>
          {latest && (
            <Alert color="orange" variant="light" data-testid="arrival" title={`${latest.risk.finding.id} on ${latest.risk.asset.name} is now ${latest.risk.decision}`}>
              {latest.risk.sentence} <Text span size="xs" c="dimmed">{latest.cause}</Text>
            </Alert>
          )}
          <Notes notes={status.data?.notes ?? []} />
          <Filters filter={filter} onChange={setFilter} />
          <Paper withBorder radius="md" style={{ overflow: "hidden" }}>
            <RiskTable risks={rows} selected={selected} onSelect={select} changed={arrivals.map((a) => a.risk.id)} />
          </Paper>
          <Text size="xs" c="dimmed" data-testid="total">
            {risks.isPending ? "Reading…" : rows.length < total ? `The first ${rows.length} of ${total}; filter to see others` : `${total} risks`}
          </Text>
        </Stack>
        <Drawer opened={selected !== null} onClose={() => select(null)} position="right" size="min(1060px, 96vw)" title="Proof" keepMounted={false}>
          {selected && <RiskDetail id={selected} />}
        </Drawer>
      </AppShell.Main>
    </AppShell>
  );
}

/** What was not found or not read here: said, and out of the way. */
function Notes({ notes }: { notes: string[] }) {
  if (notes.length === 0) return null;
  return (
    <details className="notes">
      <summary>{notes.length === 1 ? "One thing was not found or not read" : `${notes.length} things were not found or not read`}</summary>
      <ul>{notes.map((n) => <li key={n}>{n}</li>)}</ul>
    </details>
  );
}

/** The opened risk lives in the address, so that a proof can be handed on as a link. */
function useSelection(): [string | null, (id: string | null) => void] {
  const read = () => new URLSearchParams(location.search).get("risk");
  const [id, setID] = useState(read);
  useEffect(() => {
    const back = () => setID(read());
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  return [
    id,
    (next) => {
      history.pushState(null, "", next ? `?risk=${encodeURIComponent(next)}` : location.pathname);
      setID(next);
    },
  ];
}

function Refusal({ error }: { error: Error }) {
  const denied = error instanceof Refused && (error.status === 401 || error.status === 403);
  return (
    <Stack maw={560} mx="auto" mt={80}>
      <Title order={2}>{denied ? "Sign in with a token" : "The server did not answer"}</Title>
      <Text>{error.message}</Text>
      {denied && (
        <Text>
          Open the address that <Code>triad up</Code> printed, or make a token with <Code>triad token create</Code> and open this page with <Code>#token=…</Code> behind its address.
        </Text>
      )}
    </Stack>
  );
}
