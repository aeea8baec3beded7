/// What went wrong, as the API says it (RFC 9457): what, why, and what to do next.

export interface FieldProblem {
  field: string;
  problem: string;
}

export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail?: string;
  next_step?: string;
  request_id?: string;
  errors?: FieldProblem[];
}

export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "ProblemError";
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }
}

/// Nothing answered at all: the status of a problem that no server has written.
export const UNREACHABLE = 0;
/// A part of the interface is not there any more: the server has a newer one.
export const OUTDATED = -1;
export const SIGNED_OUT = 401;
export const NOT_FOUND = 404;

export const isSignedOut = (error: unknown): boolean =>
  error instanceof ProblemError && error.status === SIGNED_OUT;

export const isNotFound = (error: unknown): boolean =>
  error instanceof ProblemError && error.status === NOT_FOUND;

export async function problemOf(response: Response): Promise<ProblemError> {
  const plain = {
    title: response.statusText || `HTTP ${response.status}`,
    status: response.status,
  };
  try {
    const body: unknown = await response.json();
    if (body !== null && typeof body === "object") return new ProblemError({ ...plain, ...body });
  } catch {
    // No JSON, so not written by the API: the status has to do.
  }
  return new ProblemError(plain);
}
