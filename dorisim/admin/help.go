package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// helpText is what GET / answers.
const helpText = `dorisim: the admin port of the simulated cluster %[1]q. Answers are JSON, refusals have status 400.

  GET    /status                what there is: nodes, master, delays, fault rules, last journal id, calls of clients
  POST   /be/{i}/kill           end a backend at once; its tablets stay on its disk
  POST   /be/{i}/restart        start it again; what it has missed is repaired
  POST   /be/start              start a further backend; answers with its address for ALTER SYSTEM ADD BACKEND "host:port"
  POST   /replica/break         {"tablet": 10021, "backend": 10002}: the backend loses the tablet; repaired from other replicas
  POST   /damage                {"database": "d", "table": "t", "kind": "drop"}: rows differ without a trace. Kinds: drop,
                                double, change, delete and undelete (the delete sign). Which rows: "partition", "index"
                                (a rollup), "tablet", "backend" (ids; all replicas without), "rows" (1), "key" (text of
                                the first column). What change does: "column", and "value" (a text) or "null": true
  POST   /fe/start              prepare a further frontend; answers with its address for ALTER SYSTEM ADD FOLLOWER
  POST   /fe/{i}/kill           end a frontend; if it was master the next one takes over
  POST   /fe/{i}/restart
  POST   /fe/{i}/master         make it master: open transactions, binlog locks and snapshots are lost, as in Doris;
                                -1: no master, as during an election
  GET    /faults                the fault rules in force; hits tells how often each has struck
  POST   /faults                add one, see below
  DELETE /faults                remove all
  DELETE /faults/{id}           remove one
  POST   /binlogs/collect       {"database": "d", "up_to": 5123}; without up_to all binlogs go
  POST   /binlogs/late          {"percent": 30, "max_ms": 100, "seed": 7}: so many are filed up to so much later than they
                                get their number, each table's in order, a database's not; 0 ends it
  POST   /binlogs/file          file at once what waits to be filed
  POST   /profile               {"name": "instant" or "realistic"} and single delays on top: rpc_ms, begin_ms, ingest_ms,
                                commit_ms, publish_ms, backup_tick_ms, restore_tick_ms, alter_tick_ms, clone_ms
  POST   /clock                 {"advance_seconds": 3600}: what waits for hours

A fault rule: {"point": "fe.commitTxn", "action": "drop_after", "count": 1}
  point    what it interrupts; * matches any part
             fe.<method>       a Thrift method of a frontend: fe.getBinlog, fe.beginTxn, fe.commitTxn, fe.getMeta ...
             be.<what>         be.ingest_binlog, be.query_ingest_binlog, be.write, be.publish, be.scan, be.download,
                               be.http.binlog, be.http.snapshot
             publish           making a transaction visible
             clone             copying a replica to a backend, for a repair or a move
             backup.<STATE>    the end of a state of a BACKUP job: backup.SNAPSHOTING
             restore.<STATE>   of a RESTORE job: restore.DOWNLOADING
             alter.<STATE>     of an ALTER job: alter.WAITING_TXN
             backup.submit     submitting a backup or restore
           with a node's index it strikes there only: be.ingest_binlog@1, fe.commitTxn@0
  action   drop_before (no effect, connection closed), drop_after (effect, but no answer), fail, delay, delay_after,
           empty (no effect, a frontend answers OK and with nothing else),
           hold (wait until the rule is removed)
  delay_ms of delay and delay_after
  skip     let that many calls pass first
  count    strike that often; 0: always
  message  text of fail

  curl -X POST %[2]s/faults -d '{"point":"fe.commitTxn","action":"drop_after","count":1}'
`

// help answers everything that is nothing else.
func (s *Server) help(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		text := fmt.Sprintf("there is no %s %s here; GET / lists what there is", r.Method, r.URL.Path)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": text}) // the client is gone
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, helpText, s.cluster.Name(), s.Addr())
}
