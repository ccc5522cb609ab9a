import { SqliteStore } from '/work/main/src/store/sqlite.js';
import { MemoryStore } from '/work/main/src/store/memory.js';
import { commitAfter, EMPTY_HEAD, headAfter } from '/work/main/test/store/fixtures.js';
import { rmSync } from 'node:fs';
async function bench(label: string, store: any, writers: number, mode: string) {
  // prebuild commits so the fixture's hashing is not measured
  const per = mode==='plain'? Math.ceil(120000/writers): Math.ceil(60000/writers);
  const n = Math.min(per, writers===1?6000:per);
  const all = Array.from({length: writers}, (_, w) => { let head: any = EMPTY_HEAD; const list: any[] = [];
    for (let i=0;i<n;i++){ const opt: any = { padding: 390 };
      if (mode==='timers') { opt.timers=[{key:String(i+1), dueAt: 1e12+i},{key:String(i), dueAt:null}]; opt.outbox=[{key:String(i+1),effect:{type:'Enqueue',x:1}},{key:String(i),effect:null}]; }
      if (mode==='new') head = EMPTY_HEAD;
      const c = commitAfter(head, mode==='new'?`w${w}-${i}`:`w${w}`, opt); list.push(c); head = headAfter(c);} return list; });
  const lat: number[] = [];
  const t=performance.now();
  await Promise.all(all.map(async list => { for (const c of list) { const s=performance.now(); const r = await store.commit(c); if (r!=='committed') throw new Error(r); lat.push(performance.now()-s);} }));
  const ms=performance.now()-t; lat.sort((a,b)=>a-b);
  console.log(label, mode, 'writers', writers, 'bytes', all[0]![0].facts.length, Math.round(writers*n/ms*1000)+'/s', 'p50', lat[lat.length>>1]!.toFixed(2), 'p99', lat[Math.floor(lat.length*0.99)]!.toFixed(2));
}
for (let r=0;r<3;r++) for (const [w,m] of [[64,'plain'],[64,'timers'],[64,'new'],[1,'plain']] as const) {
  rmSync('/tmp/t/b',{recursive:true,force:true});
  const s = SqliteStore.open('/tmp/t/b/x.db'); await bench('sqlite', s, w, m); await s.close();
}
await bench('memory', new MemoryStore(), 64, 'plain'); await bench('memory', new MemoryStore(), 64, 'timers');
