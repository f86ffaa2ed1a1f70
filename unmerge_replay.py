import sys; sys.path.insert(0,".")
from tests.tables import test_unmerge_interleaved as t
t.seen=lambda _: None
(seed,parts),calls=eval(open("/tmp/unmerge_failing_example.txt").read())
n=len(t.Named._fields)
def mk(l): return [t.Named(*x[:n]) for x in l]
bad=0;tot=0;first=None
for s in [seed,*range(int(sys.argv[1]))]:
    p=t.Play(s,parts); p.happen(mk(calls[0])); d=p.unmerge()
    p.happen(mk(calls[-1] if len(calls)>1 else [])); p.quiet(); tot+=1
    try: t.check(p,d[0] if d and d[1] else None)
    except AssertionError as e: bad+=1; first=first or (s,p.was_quiet,str(e)[:200])
print(tot,bad,first)
