import { redisBinary, startRedis } from './redis.js';
import { measureThroughput } from './redis-throughput.js';
const s = await startRedis(redisBinary()!, {
  appendonly: 'yes',
  appendfsync: 'everysec',
  save: '', 'auto-aof-rewrite-percentage': '0',
});
console.log(await measureThroughput(s.url, 3, 1500));
console.log(
  String(await s.command('INFO', 'commandstats'))
    .split('\r\n')
    .filter((l) => /evalsha|xadd/.test(l))
    .join('\n'),
);
await s.stop();
