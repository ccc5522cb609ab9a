/**
 * A script call as it goes over the wire. ioredis copies the arguments of a command several times and asks for the
 * bytes of each; a call of sixteen commits has two hundred. Here they are written in one go, and only
 * a call with text beyond ASCII is counted argument by argument.
 */
import { Command } from 'ioredis';

export type Argument = string | number;

export class Evaluation extends Command {
  constructor(
    sha: string,
    keys: readonly string[],
    resent: boolean,
    private readonly rest: readonly Argument[],
  ) {
    // What names the slot is what the client has to know.
    super('evalsha', [sha, String(keys.length), ...keys, resent ? '1' : '0'], {
      replyEncoding: 'utf8',
    });
  }

  override toWritable(): string | Buffer {
    const args = this.args as string[];
    const count = 1 + args.length + this.rest.length;
    const text = `*${count}\r\n$7\r\nevalsha\r\n${encode(args, lengthOf)}${encode(this.rest, lengthOf)}`;
    if (Buffer.byteLength(text) === text.length) return Buffer.from(text, 'latin1');
    return `*${count}\r\n$7\r\nevalsha\r\n${encode(args, bytesOf)}${encode(this.rest, bytesOf)}`;
  }
}

function encode(args: readonly Argument[], measure: (text: string) => number): string {
  let text = '';
  for (const one of args) {
    const arg = typeof one === 'string' ? one : String(one);
    text += `$${measure(arg)}\r\n${arg}\r\n`;
  }
  return text;
}

const lengthOf = (text: string): number => text.length;
const bytesOf = (text: string): number => Buffer.byteLength(text);
