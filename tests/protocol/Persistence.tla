---------------------------- MODULE Persistence ----------------------------
(* How jobs are kept: executors, leases, appends, checkpoints, crashes, power
   cuts. The same model as model.py, action by action; both are explored and
   must come to the same counts. See docs/explanation/protocol.md. *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Executors,    \* how many processes work on the job
  Results,      \* how many items the job has
  Fences,       \* how often the job can be taken
  Corrections,  \* how often the wall clock is set
  Cuts,         \* how often the power is cut
  Durability,   \* "full" or "process"
  Fault         \* what is taken out of the protocol; "none" is nothing

VARIABLES
  stored,       \* what the rows of the store say
  durable,      \* what a power cut leaves of them
  told,         \* how many results were acknowledged to somebody
  ex,           \* what each process has in its memory
  clock,        \* how the wall clock stands
  corrections,
  cuts,
  broken        \* the promise that a step broke; "" if none did

vars == <<stored, durable, told, ex, clock, corrections, cuts, broken>>

E == 1..Executors
Max(a, b) == IF a > b THEN a ELSE b
Min(a, b) == IF a < b THEN a ELSE b

Gone == [at |-> "idle", fence |-> 0, done |-> 0, note |-> "nothing"]
New == [fence |-> 0, holder |-> 0, lease |-> "free", results |-> <<>>,
        running |-> 0, orphaned |-> 0, checkpoint |-> 0]

Init ==
  /\ stored = New
  /\ durable = New
  /\ told = 0
  /\ ex = [i \in E |-> Gone]
  /\ clock = "right"
  /\ corrections = Corrections
  /\ cuts = Cuts
  /\ broken = ""

Synced == Durability = "full" /\ Fault # "lost sync"
Finished == Len(stored.results) = Results
Alive == \E i \in E : ex[i].at # "idle" /\ ex[i].fence = stored.fence
Holds(i) == Fault = "no fence" \/ stored.fence = ex[i].fence

(* The rows as a later boot finds them: no time of its own says who is silent. *)
Left(s) == IF s.lease = "free" THEN s ELSE [s EXCEPT !.lease = "foreign"]

(* What the others have in memory once a commit was appended by `who`. *)
Others(who) ==
  [i \in E |-> IF /\ i # who /\ ex[i].note = "nothing"
                  /\ ex[i].at \in {"planned", "unknown"}
               THEN [ex[i] EXCEPT !.note = "overtaken"] ELSE ex[i]]

Stale(who) == ex[who].at # "idle" /\ ex[who].fence # stored.fence

(* A commit that leaves `s`; the executor `who` made it and is then `e`. *)
Commit(who, s, e) ==
  /\ stored' = s
  /\ durable' = IF Synced THEN Left(s) ELSE durable
  /\ ex' = [Others(who) EXCEPT ![who] = e]
  /\ broken' = IF Stale(who) THEN "INV-FENCE: stale" ELSE broken
  /\ UNCHANGED <<clock, corrections, cuts>>

(* A commit that needs no lease. *)
FreeCommit(s, executors) ==
  /\ stored' = s
  /\ durable' = IF Synced THEN Left(s) ELSE durable
  /\ ex' = executors
  /\ UNCHANGED <<clock, corrections, cuts, broken>>

Becomes(i, e) ==
  /\ ex' = [ex EXCEPT ![i] = e]
  /\ UNCHANGED <<stored, durable, told, clock, corrections, cuts, broken>>

At(i, at, done) == [at |-> at, fence |-> ex[i].fence, done |-> done, note |-> "nothing"]

(* It is told that another holds the job; the log keeps that it tried. *)
Refused(i) ==
  /\ FreeCommit(stored, [Others(0) EXCEPT ![i] = Gone])
  /\ UNCHANGED told

Recorded(item) ==
  [stored EXCEPT !.results = Append(@, <<item, stored.fence>>), !.running = 0]

-----------------------------------------------------------------------------
(* Time, the disk, people *)

Lapse ==
  /\ stored.lease \in {"fresh", "foreign"}
  /\ stored' = [stored EXCEPT !.lease = "lapsed"]
  /\ UNCHANGED <<durable, told, ex, clock, corrections, cuts, broken>>

SetClock(how) ==
  /\ corrections > 0
  /\ clock' = how
  /\ corrections' = corrections - 1
  /\ UNCHANGED <<stored, durable, told, ex, cuts, broken>>

ReachDisk ==
  /\ durable # Left(stored)
  /\ durable' = Left(stored)
  /\ UNCHANGED <<stored, told, ex, clock, corrections, cuts, broken>>

CutPower ==
  /\ cuts > 0
  /\ stored' = durable
  /\ told' = IF Durability = "full" THEN told ELSE Min(told, Len(durable.results))
  /\ ex' = [i \in E |-> Gone]
  /\ cuts' = cuts - 1
  /\ UNCHANGED <<durable, clock, corrections, broken>>

OperatorRecords ==
  /\ stored.running = 1
  /\ FreeCommit(Recorded(Len(stored.results) + 1), Others(0))
  /\ told' = Max(told, Len(stored.results) + 1)

-----------------------------------------------------------------------------
(* What executors do *)

(* By processes and steady time, by no wall clock. *)
Replaceable ==
  \/ stored.lease = "free"
  \/ /\ stored.lease # "free"
     /\ CASE Fault = "wall clock" ->
               IF clock = "right" THEN stored.lease = "lapsed" ELSE clock = "ahead"
          [] Fault = "wall clock back" ->
               stored.lease = "lapsed" /\ clock # "behind"
          [] OTHER ->
               stored.lease = "lapsed" \/ (stored.lease = "fresh" /\ ~Alive)

Take(i) ==
  /\ ex[i].at = "idle"
  /\ stored.fence < Fences
  /\ ~Finished
  /\ Replaceable
  /\ LET kept == Fault = "fence kept" /\ stored.fence > 0
         fence == IF kept THEN stored.fence ELSE stored.fence + 1
         orphaned == IF stored.lease = "free" THEN stored.orphaned ELSE 1
         s == [stored EXCEPT !.fence = fence, !.holder = i, !.lease = "fresh",
                             !.orphaned = orphaned]
     IN /\ stored' = s
        /\ durable' = IF Synced THEN Left(s) ELSE durable
        /\ ex' = [Others(i) EXCEPT ![i] =
                    [at |-> "held", fence |-> fence, done |-> 0, note |-> "nothing"]]
        /\ broken' = IF stored.lease = "fresh" /\ Alive
                     THEN "a holder that renews keeps its job" ELSE broken
        /\ UNCHANGED <<told, clock, corrections, cuts>>

Die(i) == ex[i].at # "idle" /\ Becomes(i, Gone)

Renew(i) ==
  /\ ex[i].at # "idle"
  /\ IF stored.fence = ex[i].fence
     THEN /\ stored.lease = "lapsed"
          /\ stored' = [stored EXCEPT !.lease = "fresh"]
          /\ UNCHANGED <<durable, told, ex, clock, corrections, cuts, broken>>
     ELSE ex[i].at # "unknown" /\ Becomes(i, Gone)

Look(i) == ex[i].at = "held" /\ Becomes(i, At(i, "planned", Len(stored.results)))

TakeUp(i) ==
  /\ ex[i].at = "planned"
  /\ IF ~Holds(i) THEN Refused(i)
     ELSE IF ex[i].note = "overtaken" /\ Fault # "no compare"
     THEN Becomes(i, At(i, "held", 0))
     ELSE IF stored.orphaned = 0 THEN Becomes(i, At(i, "ready", ex[i].done))
     ELSE /\ Commit(i, [stored EXCEPT !.running = 0, !.orphaned = 0], At(i, "ready", ex[i].done))
          /\ UNCHANGED told

Begun(i) ==
  IF stored.running = 1 \/ Len(stored.results) > ex[i].done THEN Becomes(i, Gone)
  ELSE /\ Commit(i, [stored EXCEPT !.running = 1], At(i, "working", ex[i].done))
       /\ UNCHANGED told

Begin(i) ==
  /\ ex[i].at = "ready"
  /\ ex[i].done # Results
  /\ IF ~Holds(i) THEN Refused(i)
     ELSE IF Fault = "check in another transaction"
     THEN Becomes(i, [ex[i] EXCEPT !.at = "checked"])
     ELSE Begun(i)

BeginChecked(i) == ex[i].at = "checked" /\ Begun(i)

IsRecorded(i) == Len(stored.results) > ex[i].done /\ Fault # "no compare"
CanFinish(i) == IsRecorded(i) \/ stored.running = 1 \/ Fault = "no compare"
AfterResult(i) == IF IsRecorded(i) THEN stored ELSE Recorded(ex[i].done + 1)

FinishRefused(i) ==
  /\ ex[i].at = "working"
  /\ \/ ~Holds(i) /\ Refused(i)
     \/ Holds(i) /\ ~CanFinish(i) /\ Becomes(i, Gone)

Finish(i) ==
  /\ ex[i].at = "working"
  /\ Holds(i)
  /\ CanFinish(i)
  /\ told' = Max(told, ex[i].done + 1)
  /\ IF IsRecorded(i)
     THEN /\ ex' = [ex EXCEPT ![i] = At(i, "ready", ex[i].done + 1)]
          /\ UNCHANGED <<stored, durable, clock, corrections, cuts, broken>>
     ELSE Commit(i, AfterResult(i), At(i, "ready", ex[i].done + 1))

FinishAndBegin(i) ==
  /\ ex[i].at = "working"
  /\ Holds(i)
  /\ CanFinish(i)
  /\ ex[i].done + 1 < Results
  /\ told' = Max(told, ex[i].done + 1)
  /\ Commit(i, [AfterResult(i) EXCEPT !.running = 1], At(i, "working", ex[i].done + 1))

FinishUnanswered(i) ==
  /\ ex[i].at = "working"
  /\ Holds(i)
  /\ CanFinish(i)
  /\ ~IsRecorded(i)
  /\ \/ /\ Commit(i, AfterResult(i), [At(i, "unknown", ex[i].done) EXCEPT !.note = "there"])
        /\ UNCHANGED told
     \/ Becomes(i, At(i, "unknown", ex[i].done))

(* The commit is there if one with its seq has its digest. *)
Settle(i) ==
  /\ ex[i].at = "unknown"
  /\ IF ex[i].note = "there" \/ (Fault = "settled by seq" /\ ex[i].note # "nothing")
     THEN /\ told' = Max(told, ex[i].done + 1)
          /\ ex' = [ex EXCEPT ![i] = At(i, "ready", ex[i].done + 1)]
          /\ UNCHANGED <<stored, durable, clock, corrections, cuts, broken>>
     ELSE Becomes(i, At(i, "working", ex[i].done))

PutAhead(i) ==
  /\ Fault = "checkpoint ahead"
  /\ ex[i].at = "working"
  /\ stored.checkpoint <= ex[i].done
  /\ FreeCommit([stored EXCEPT !.checkpoint = ex[i].done + 1], Others(0))
  /\ UNCHANGED told

Checkpoint(i) ==
  /\ ex[i].at = "ready"
  /\ ex[i].done > stored.checkpoint
  /\ IF ~Holds(i) THEN Refused(i)
     ELSE /\ Commit(i, [stored EXCEPT !.checkpoint = Len(stored.results)], ex[i])
          /\ UNCHANGED told

Release(i) ==
  /\ ex[i].at = "ready"
  /\ IF ~Holds(i) THEN Becomes(i, Gone)
     ELSE /\ Commit(i, [stored EXCEPT !.holder = 0, !.lease = "free"], Gone)
          /\ UNCHANGED told

Next ==
  \/ Lapse
  \/ \E how \in {"ahead", "behind"} : SetClock(how)
  \/ ReachDisk
  \/ CutPower
  \/ OperatorRecords
  \/ \E i \in E :
       \/ Take(i) \/ Die(i) \/ Renew(i) \/ Look(i) \/ TakeUp(i)
       \/ Begin(i) \/ BeginChecked(i)
       \/ Finish(i) \/ FinishAndBegin(i) \/ FinishUnanswered(i) \/ FinishRefused(i)
       \/ Settle(i) \/ PutAhead(i) \/ Checkpoint(i) \/ Release(i)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* What is promised *)

Acknowledged == Len(stored.results) >= told                               \* INV-ACK
Once == \A a, b \in 1..Len(stored.results) :                              \* INV-ONCE
          stored.results[a][1] = stored.results[b][1] => a = b
Gapless == \A a \in 1..Len(stored.results) : stored.results[a][1] = a     \* INV-GAPLESS
Fenced == \A a, b \in 1..Len(stored.results) :                            \* INV-FENCE
            a < b => stored.results[a][2] <= stored.results[b][2]
Folded == stored.checkpoint <= Len(stored.results)                        \* INV-FOLD
OneHolder == \A i, j \in E :                                              \* INV-FENCE
               i # j /\ ex[i].at # "idle" /\ ex[j].at # "idle"
                 => ex[i].fence # ex[j].fence
Unbroken == broken = ""      \* no commit under a stale fence; a holder that renews is left alone
=============================================================================
