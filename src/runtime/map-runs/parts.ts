/** What the parts of one running Map Run share. */
import type { Alarm } from './alarm.js';
import type { Ledger } from './ledger.js';
import type { Order } from './order.js';
import type { Patience } from './patience.js';
import type { Roster } from './roster.js';
import type { World } from './world.js';

export interface Parts {
  readonly world: World;
  readonly order: Order;
  readonly patience: Patience;
  readonly ledger: Ledger;
  readonly roster: Roster;
  readonly alarm: Alarm;
}
