/// A list: how many records there are, what narrows it down, and its table, or why it is empty.
import { Button } from "@mantine/core";
import type { InfiniteData, UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { useFormats, useTranslate } from "@/i18n/language";
import { type MoreProps, moreOf } from "./more";
import { Panel } from "./page";
import { Empty, Loaded } from "./states";
import { type Column, type Sort, Table } from "./table";

/// What a question for a list has answered so far.
export interface List<T> {
  query: UseQueryResult<unknown> | UseInfiniteQueryResult<unknown>;
  records: readonly T[];
  /// How many there are, where the answer says so.
  total: number | undefined;
  more: MoreProps | undefined;
}

interface Part<T> {
  items: readonly T[];
  total?: number;
}

/// The list of an answer that holds all of it.
export function wholeList<D, T>(
  query: UseQueryResult<D>,
  of: (answer: D) => readonly T[],
): List<T> {
  const records = query.data === undefined ? undefined : of(query.data);
  return { query, records: records ?? [], total: records?.length, more: undefined };
}

/// The list of an answer that comes in pages; its records are the same as long as the answer is.
export function usePagedList<T>(query: UseInfiniteQueryResult<InfiniteData<Part<T>>>): List<T> {
  const pages = query.data?.pages;
  const records = useMemo(() => pages?.flatMap(({ items }) => items) ?? [], [pages]);
  return { query, records, total: pages?.[0]?.total, more: moreOf(query) };
}

interface RecordsProps<T> {
  title: string;
  list: List<T>;
  columns: readonly Column<T>[];
  id: (record: T) => string;
  /// What stands there when there is no record.
  none: ReactNode;
  /// What narrows the list down.
  filters?: ReactNode;
  /// What stands above the table.
  above?: ReactNode;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  lines?: number;
}

export function Records<T>(props: RecordsProps<T>) {
  const { title, list, none, filters, above, lines = 6, ...table } = props;
  const { query, records, total, more } = list;
  const formats = useFormats();
  return (
    <Panel
      title={title}
      count={total === undefined ? "" : formats.number(total)}
      actions={filters}
      flush
    >
      <Loaded query={query} lines={lines}>
        {() =>
          records.length === 0 ? (
            none
          ) : (
            <>
              {above}
              <Table caption={title} records={records} more={more} {...table} />
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

/// There are records, but none is as the filters want it.
export function NoneSuch({ showAll }: { showAll: () => void }) {
  const t = useTranslate();
  return (
    <Empty
      title={t("state.none-such")}
      icon="search"
      action={
        <Button variant="default" onClick={showAll}>
          {t("state.show-all")}
        </Button>
      }
    >
      {t("state.none-such.next")}
    </Empty>
  );
}
