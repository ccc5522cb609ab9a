import { compileJsonata, evaluateJsonata } from '/work/main/src/expr/jsonata.js';
for (const e of ['$count($distinct([1..100000]))','$distinct([1,"1",{"a":1,"b":2},{"b":2,"a":1},[1],[1],null,"x","x",true])','$distinct([1,1])','$count([1..1000].[[1..800000]])', '[1..1000].($pad("", 4000000, "ab"))','$map([1..200], function($v){[1..800000]})','($a := [1..800000]; $map([1..200], function($v){[$a]}))','[1..1000].($x:=[1..800000]; $reverse($x))', '($s := $pad("",4000000,"a"); $map([1..1000], function($v){$s}))', '$map([1..200000], function($v,$i,$a){$v+$count($a)}) ~> $sum()','$length($reduce([1..20000], function($a,$b){$a & "xxxxxxxxxx"}, ""))', '$count($reduce([1..5000], $append))','$map([1..1000], $pad(?, 4000000))']) {
  const t = process.cpuUsage(); const w=Date.now(); let r: string;
  try { r = String(JSON.stringify(await evaluateJsonata(compileJsonata(e), { states: { input: {} } } as never, 'Output', { uuid: () => 'u', random: Math.random, now: 0 } as never))).slice(0,100); } catch (x) { r = String((x as any).cause ?? x).slice(-90); }
  const u = process.cpuUsage(t); const ms = (u.user+u.system)/1000;
  console.log(ms.toFixed(0).padStart(7), Date.now()-w, e.slice(0,90), '->', r, process.memoryUsage().rss/1e6|0);
}
