import path from 'node:path';
import { Journal } from '../journal.ts';
import type { StandInContext } from '../stand-in.ts';
import type { TakenMail } from './mail-server.ts';

/** A mail that somebody may read. */
export interface KeptMail {
  /** When it came, in virtual time. */
  at: number;
  recipients: string[];
  /** As it came, base64. */
  source: string;
}

/** All mail that came, whoever it is for. */
export class Mailbox {
  readonly #clock: StandInContext['clock'];
  readonly #journal: Journal<KeptMail>;
  readonly #mails: KeptMail[];

  constructor({ clock, stateDirectory }: Pick<StandInContext, 'clock' | 'stateDirectory'>) {
    this.#clock = clock;
    this.#journal = new Journal(
      stateDirectory === null ? null : path.join(stateDirectory, 'mail.journal.jsonl'),
    );
    this.#mails = this.#journal.takeReplay();
  }

  take({ recipients, source }: TakenMail): void {
    const mail = { at: this.#clock.nowMs(), recipients, source: source.toString('base64') };
    this.#journal.append(mail);
    this.#mails.push(mail);
  }

  /** In the order in which they came. */
  get mails(): readonly KeptMail[] {
    return this.#mails;
  }

  close(): void {
    this.#journal.close();
  }
}
