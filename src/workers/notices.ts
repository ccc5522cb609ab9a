/** Messages between processes by publish and subscribe: quick, and nobody relies on one arriving. */
import type { Notice } from '../runtime/peers.js';
import type { Connection } from './connections.js';

export type Message =
  | Notice
  /** Somebody came or went. */
  | { readonly is: 'members' }
  | { readonly is: 'activity'; readonly activityArn: string };

export class Notices {
  constructor(
    private readonly sender: Connection,
    private readonly receiver: Connection,
    private readonly channel: string,
    /** Marks what this process sent itself. */
    private readonly id: string,
  ) {}

  async listen(heard: (message: Message) => void): Promise<void> {
    this.receiver.on('message', (_channel: string, text: string) => {
      const message = this.read(text);
      if (message !== null) heard(message);
    });
    await this.receiver.subscribe(this.channel);
  }

  /** Null: our own, or nothing that a process of ours would say. */
  private read(text: string): Message | null {
    const space = text.indexOf(' ');
    if (text.slice(0, space) === this.id) return null;
    try {
      return JSON.parse(text.slice(space + 1)) as Message;
    } catch {
      return null;
    }
  }

  tell(message: Message): void {
    // Lost: found by looking.
    this.sender
      .publish(this.channel, `${this.id} ${JSON.stringify(message)}`)
      .catch(() => undefined);
  }
}
