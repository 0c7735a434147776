package io.branchkeeper.client;

/** Whether doing a call twice is the same as doing it once. */
public enum Kind {
  /** It changes nothing. */
  READ,
  /** It carries a request_id, so the service does the work once. */
  NAMED,
  /** Everything else. */
  WRITE
}
