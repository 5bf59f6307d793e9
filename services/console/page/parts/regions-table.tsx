import { Table, type TableColumnsType } from "antd";
import { regionStates, type Nation, type Region } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";
import { Digest } from "./digest.tsx";
import { Heard } from "./heard.tsx";
import { MovingCount } from "./moving-count.tsx";
import { StateMark } from "./state-mark.tsx";
import { unattributedOf } from "./unattributed.ts";

interface Given {
  readonly nation: Nation;
  readonly chosen: string | undefined;
  readonly choose: (region: string) => void;
}

const kinds = ["calls", "intercepted", "forged"] as const;

/** The regions as a table that can be sorted. */
export function RegionsTable({ nation, chosen, choose }: Given) {
  const { texts } = useLanguage();
  const columns = useColumns(nation.atMs, chosen, choose);
  const unattributed = unattributedOf(nation);
  const summary = unattributed.calls === 0 ? null : <UnattributedRow counts={unattributed} />;
  return (
    <Table<Region>
      columns={columns}
      dataSource={nation.regions}
      rowKey="region"
      size="small"
      pagination={false}
      showSorterTooltip={false}
      scroll={{ x: "max-content" }}
      rowClassName={({ region }) => (region === chosen ? "chosen" : "")}
      locale={{ emptyText: <span className="quiet">{texts.regions.empty}</span> }}
      summary={() => summary}
    />
  );
}

function UnattributedRow({ counts }: { readonly counts: ReturnType<typeof unattributedOf> }) {
  const { texts } = useLanguage();
  return (
    <Table.Summary.Row>
      <Table.Summary.Cell index={0} colSpan={6}>
        {texts.regions.unattributed} <span className="quiet">({texts.regions.unattributedNote})</span>
      </Table.Summary.Cell>
      {kinds.map((kind, index) => (
        <Table.Summary.Cell key={kind} index={index + 6} align="right">
          <MovingCount value={counts[kind]} />
        </Table.Summary.Cell>
      ))}
    </Table.Summary.Row>
  );
}

function useColumns(
  nowMs: number,
  chosen: string | undefined,
  choose: (region: string) => void,
): TableColumnsType<Region> {
  const { texts, format, language } = useLanguage();
  return [
    {
      title: texts.regions.region,
      key: "region",
      rowScope: "row",
      sorter: (one, other) => one.names[language].localeCompare(other.names[language], language),
      render: (_, { region, names, epoch }) => (
        <>
          <button
            type="button"
            className="plain"
            aria-pressed={region === chosen}
            onClick={() => choose(region)}
          >
            {names[language]}
          </button>
          {epoch > 1 && <span className="quiet"> {texts.regions.inEpoch(format.count(epoch))}</span>}
        </>
      ),
    },
    {
      title: texts.regions.state,
      key: "state",
      sorter: (one, other) => regionStates.indexOf(one.state) - regionStates.indexOf(other.state),
      render: (_, { state }) => <StateMark state={state} />,
    },
    {
      title: texts.regions.since,
      key: "since",
      render: (_, { sinceMs }) => format.moment(sinceMs, nowMs),
    },
    {
      title: texts.sync.sequence,
      key: "sequence",
      align: "right",
      render: (_, { sequence }) => format.count(sequence),
    },
    { title: texts.sync.digest, key: "digest", render: (_, { digest }) => <Digest digest={digest} /> },
    {
      title: texts.regions.heard,
      key: "heard",
      render: (_, { stalenessMs }) => <Heard stalenessMs={stalenessMs} />,
    },
    ...kinds.map((kind) => ({
      title: texts.regions[kind],
      key: kind,
      align: "right" as const,
      sorter: (one: Region, other: Region) => one[kind] - other[kind],
      render: (_: unknown, region: Region) => <MovingCount value={region[kind]} />,
    })),
  ];
}
