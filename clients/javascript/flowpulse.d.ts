export interface Fields {
  ended_at?: string;
  started_at?: string;
  duration_ms?: number;
  external_execution_id?: string;
  source_platform?: string;
  source_workflow_id?: string;
  correlation_id?: string;
  metadata?: Record<string, unknown>;
  error_type?: string;
  idempotency_key?: string;
}
export interface Accepted {
  event_id: string;
  status: "accepted";
  warnings?: { field: string; code: string; message: string }[];
}
export interface BatchEvent extends Fields {
  kind: "run-success" | "run-failure" | "run-start";
  workflow_slug?: string;
  workflow_id?: string;
  error_message?: string;
}
export interface FieldError {
  field: string;
  code: string;
  message: string;
  fix?: string;
  received?: string | null;
}
export interface Problem {
  type?: string;
  title?: string;
  status: number;
  detail?: string;
  code: string;
  errors?: FieldError[];
  event_id?: string;
  inspect?: string;
}
export interface BatchAccepted {
  event_id: string;
  status: 202;
  warnings?: { field: string; code: string; message: string }[];
  idempotent_replayed?: true;
}
export interface BatchAnswer {
  accepted: number;
  refused: number;
  events: (BatchAccepted | Problem)[];
}
export interface Options {
  url?: string;
  apiKey?: string;
  timeoutMs?: number;
  totalTimeoutMs?: number;
  retries?: number;
  strict?: boolean;
  warn?: (text: string) => void;
}
export const VERSION: string;
export class FlowPulseError extends Error {}
export class UnreachableError extends FlowPulseError {}
export class RefusedError extends FlowPulseError {
  status: number;
  code: string;
  errors: FieldError[];
  events: Problem[];
  inspect?: string;
  problem: Record<string, unknown>;
}
export class Client {
  url: string;
  timeoutMs: number;
  totalTimeoutMs: number;
  retries: number;
  strict: boolean;
  warn: (text: string) => void;
  constructor(options?: Options);
  success(slug: string, fields?: Fields): Promise<Accepted>;
  failure(slug: string, errorMessage: string, fields?: Fields): Promise<Accepted>;
  start(slug: string, fields?: Fields): Promise<Accepted>;
  batch(events: BatchEvent[]): Promise<BatchAnswer>;
  run<T>(
    slug: string,
    job: (fields: Fields) => T | Promise<T>,
    options?: Fields & { sendStart?: boolean },
  ): Promise<T>;
}
