/** What is said, before a channel gives it its form. */
export interface AlertMessage {
  /** One line. */
  subject: string;
  /** Paragraphs. */
  paragraphs: string[];
  /** What is known, by name. */
  facts: [label: string, value: string][];
  /** Where more is seen, below the service's own address; null: nowhere, or not for this reader. */
  path: string | null;
}
