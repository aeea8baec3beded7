/// A table of records: sorted by its heads, paged, and a list of cards where the screen is narrow.
import type { ReactNode } from "react";
import { Icon } from "./icons";
import { More, type MoreProps } from "./more";
import classes from "./table.module.css";

export interface Column<T> {
  /// Unique in the table; what the API sorts by, if it can.
  name: string;
  title: string;
  cell: (record: T) => ReactNode;
  /// Its title is heard, not seen: for columns of buttons.
  untitled?: boolean;
  /// Numbers stand at the right.
  numeric?: boolean;
  sorts?: boolean;
}

/// By what a list is sorted, as the API says it: `name`, or `-name` from the greatest.
export type Sort = string;

interface TableProps<T> {
  caption: string;
  columns: readonly Column<T>[];
  records: readonly T[];
  id: (record: T) => string;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  more?: MoreProps | undefined;
}

export function Table<T>({ caption, columns, records, id, sort, onSort, more }: TableProps<T>) {
  return (
    <>
      <table className={classes.table}>
        <caption className="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.name} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {records.map((record) => (
            <tr key={id(record)}>
              {columns.map((column) => (
                <td
                  key={column.name}
                  data-title={column.untitled ? "" : column.title}
                  data-numeric={column.numeric || undefined}
                >
                  {column.cell(record)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {more && <More {...more} />}
    </>
  );
}

interface HeadProps<T> {
  column: Column<T>;
  sort: Sort | undefined;
  onSort: ((sort: Sort) => void) | undefined;
}

function Head<T>({ column, sort, onSort }: HeadProps<T>) {
  const numeric = column.numeric || undefined;
  if (!column.sorts || !onSort) {
    return (
      <th scope="col" data-numeric={numeric}>
        {column.untitled ? <span className="unseen">{column.title}</span> : column.title}
      </th>
    );
  }
  const upwards = sort === column.name;
  const downwards = sort === `-${column.name}`;
  return (
    <th
      scope="col"
      data-numeric={numeric}
      aria-sort={upwards ? "ascending" : downwards ? "descending" : "none"}
    >
      <button type="button" onClick={() => onSort(upwards ? `-${column.name}` : column.name)}>
        {column.title}
        {(upwards || downwards) && <Icon name={upwards ? "up" : "down"} size={12} />}
      </button>
    </th>
  );
}
