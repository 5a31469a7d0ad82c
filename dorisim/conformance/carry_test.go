package conformance

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
)

// session keeps the statements of a test on one connection.
func (s *side) session() *side {
	s.db.SetMaxOpenConns(1)
	return s
}

// restoreInto brings all of db into the destination's database by backup and
// restore.
func (s *side) restoreInto(dest *side, db, to string) {
	s.t.Helper()
	label := s.backup(db)
	snapshot := s.getSnapshot(db, label, false)
	requireOK(s.t, snapshot.Status)
	info := decodeJobInfo(s.t, snapshot.JobInfo)
	info["extra_info"] = s.extraInfo()
	requireOK(s.t, dest.restore(restoreRequest(s.t, to, label+"_r", snapshot.Meta, info)))
	dest.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s_r\"", to, label)
}

// carry runs a load into an unpartitioned table and brings its rows to the
// destination's table of the same name by ingest_binlog.
func (s *side) carry(dest *side, db, to, table, load string) {
	s.t.Helper()
	prev := s.lastSeq(db)
	s.exec("%s", load)
	record := decodeUpsert(s.t, s.nextUpsert(db, prev))
	remote, local := s.tableMeta(db, table), dest.tableMeta(to, table)
	version := record.TableRecords[itoa(remote.GetID())].PartitionRecords[0].Version
	txn := dest.begin(to, local.GetID())
	var all []ingestion
	for _, index := range local.Partitions[0].Indexes {
		for _, origin := range remote.Partitions[0].Indexes {
			if strings.EqualFold(origin.GetName(), index.GetName()) {
				all = append(all, ingestions(s, dest, onlyIndex(remote.Partitions[0], origin), onlyIndex(local.Partitions[0], index), version, txn)...)
			}
		}
	}
	require.NotEmpty(s.t, all)
	requireOK(s.t, dest.commit(to, txn, dest.ingestAll(all)))
}

func onlyIndex(p *frontendservice.TGetMetaPartitionMeta, index *frontendservice.TGetMetaIndexMeta) *frontendservice.TGetMetaPartitionMeta {
	one := *p
	one.Indexes = []*frontendservice.TGetMetaIndexMeta{index}
	return &one
}
