import { Redis } from 'ioredis';
import { redisBinary, startRedis } from './redis.js';
import { COMMIT } from '../../../src/store/redis-scripts.js';
import { keySpace } from '../../../src/store/redis-keys.js';
import { executionArn } from '../../store/fixtures.js';
const ks = keySpace('s');
const T = COMMIT.text;
const cutAt = (marker: string) => { const i = T.indexOf(marker); if (i<0) throw new Error(marker); return T.slice(0, i) + '\nreturn 1'; };
const variants: Record<string,string> = {
  empty: 'return 1',
  hmget: cutAt("redis.call('LLEN'"),
  reads: cutAt("local clock"),
  tables: cutAt("write('HSET'"),
  hset: cutAt("redis.call('RPUSH'"),
  rpush: cutAt("write('HDEL'"),
  all: T,
};
const row = JSON.stringify({arn: executionArn('w'), name:'w', stateMachineArn:'arn:aws:states:us-east-1:123456789012:stateMachine:Demo', a:null,b:null,c:null,status:'RUNNING',startedAt:1700000000000, details:{}});
for (const aof of ['no','yes']) {
const s = await startRedis(redisBinary()!, { appendonly: aof, appendfsync: 'everysec', save: '' });
const c = new Redis(s.url);
for (const [name, text] of Object.entries(variants)) {
  const full = name === 'all';
  await c.flushall(); await c.config('RESETSTAT');
  const sha = await c.script('LOAD', text) as string;
  const w = Array.from({length:64}, async (_, wr) => {
    let n = 0;
    for (let i = 0; i < 300; i++) {
      const arn = executionArn(`w${wr}-${i/20|0}`);
      if (i%20===0) n = 0;
      const keys = ks.execution(arn);
      const d = full ? n : 0;
      const dig = (x:number)=> x===0 ? 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' : String(x).padStart(64,'a');
      const r = await c.evalsha(sha, keys.length, ...keys, '0', arn, String(full?n:0), dig(d), String(n+1), dig(n+1), `${n} 1 ${dig(n+1)}\n${'x'.repeat(500)}`, row, 's|R|0001700000000000|\nm|aaaaaaaaaaaaaaaa|R|0001700000000000|', `t:${n-1}`, '', `t:${n}`, '0001700000000000', `o:work:${n-1}`, '', `o:work:${n}`, '{"a":"asdasdasda"}');
      if (name==='all' && r!==1) throw new Error('bad '+r);
      n++;
    }
  });
  await Promise.all(w);
  console.log(aof, name, String(await c.info('commandstats')).split('\r\n').filter(l=>/evalsha/.test(l)).join('\n'));
}
c.disconnect(); await s.stop();
}
