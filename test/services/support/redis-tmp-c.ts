import { redisBinary, startRedis } from './redis.js';
import { RedisStore } from '../../../src/store/redis.js';
import * as T from './redis-throughput.js';
const s = await startRedis(redisBinary()!, { appendonly: 'yes', appendfsync: 'everysec', save: '', 'auto-aof-rewrite-percentage': '0' });
console.log(await T.measureThroughput(s.url, 1, 4000));
console.log((String(await s.command('INFO','all'))).split('\r\n').filter(l=>/used_cpu|evalsha|total_reads|total_writes|total_commands/.test(l)).join('\n'));
await s.stop();
