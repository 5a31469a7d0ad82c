package fe

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

// GetMasterToken implements doris-rpc.md 3.1.
func (s *service) GetMasterToken(ctx context.Context, r *frontendservice.TGetMasterTokenRequest) (*frontendservice.TGetMasterTokenResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TGetMasterTokenResult_ {
		return &frontendservice.TGetMasterTokenResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "getMasterToken", reply, func() (*frontendservice.TGetMasterTokenResult_, error) {
		if err := require(given{"user", r.User != nil}); err != nil {
			return nil, err
		}
		if r.Password == nil {
			r.Password = pointer("") // the one call that takes its absence for the empty one
		}
		if _, err := s.login(fromPeer(ctx, r.User, r.Password, nil)); err != nil {
			return nil, &codeError{status.TStatusCode_NOT_AUTHORIZED, err.Error()}
		}
		result := reply(ok(), nil)
		result.Token = pointer(s.core.Token())
		return result, nil
	})
}

// GetBackendMeta implements doris-rpc.md 3.2.
func (s *service) GetBackendMeta(ctx context.Context, r *frontendservice.TGetBackendMetaRequest) (*frontendservice.TGetBackendMetaResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TGetBackendMetaResult_ {
		return &frontendservice.TGetBackendMetaResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "getBackendMeta", reply, func() (*frontendservice.TGetBackendMetaResult_, error) {
		if err := require(given{"user", r.User != nil}, given{"passwd", r.Passwd != nil}); err != nil {
			return nil, err
		}
		if _, err := s.login(fromPeer(ctx, r.User, r.Passwd, nil)); err != nil {
			return nil, err
		}
		result := reply(ok(), nil)
		result.Backends = []*types.TBackend{}
		for _, b := range s.core.Backends() {
			result.Backends = append(result.Backends, &types.TBackend{
				Host: b.Host, BePort: int32(b.BePort), HTTPPort: int32(b.HTTPPort), BrpcPort: pointer(int32(b.BrpcPort)),
				IsAlive: pointer(b.Alive), ID: pointer(b.ID),
			})
		}
		return result, nil
	})
}

// GetMeta implements doris-rpc.md 3.3.
func (s *service) GetMeta(ctx context.Context, r *frontendservice.TGetMetaRequest) (*frontendservice.TGetMetaResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TGetMetaResult_ {
		return &frontendservice.TGetMetaResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "getMeta", reply, func() (*frontendservice.TGetMetaResult_, error) {
		if err := require(given{"user", r.User != nil}, given{"passwd", r.Passwd != nil}, given{"db", r.Db != nil}); err != nil {
			return nil, err
		}
		c := fromPeer(ctx, r.User, r.Passwd, r.Token)
		if c.trusted() {
			return nil, &codeError{code: status.TStatusCode_INTERNAL_ERROR} // the server never resolves the database
		}
		if err := s.authorize(c, mayRead, s.metaScope(r.Db)); err != nil {
			return nil, err
		}
		result := reply(ok(), nil)
		result.DbMeta = s.databaseMeta(r.Db)
		return result, nil
	})
}

// metaScope is what a getMeta request wants to read: the database, or the tables
// it names that exist.
func (s *service) metaScope(r *frontendservice.TGetMetaDB) scope {
	s.core.RLock()
	defer s.core.RUnlock()
	db, known := s.core.DatabaseByID(r.GetID())
	if !known && r.ID == nil {
		db, known = s.core.Database(r.GetName())
	}
	if !known {
		return scope{database: r.GetName()}
	}
	on := scope{database: db.Name}
	if r.Tables != nil {
		for _, t := range s.wantedTables(db, r) {
			on.tables = append(on.tables, t.Name)
		}
	}
	return on
}

// databaseMeta returns nil for an unknown database; unknown tables are left out.
func (s *service) databaseMeta(r *frontendservice.TGetMetaDB) *frontendservice.TGetMetaDBMeta {
	s.core.RLock()
	defer s.core.RUnlock()
	db, known := s.core.DatabaseByID(r.GetID())
	if !known && r.ID == nil {
		db, known = s.core.Database(r.GetName())
	}
	if !known {
		db = systemDatabase(r)
	}
	if db == nil {
		return nil
	}
	meta := &frontendservice.TGetMetaDBMeta{ID: pointer(db.ID), Name: pointer(db.Name)}
	for _, t := range s.wantedTables(db, r) {
		meta.Tables = append(meta.Tables, s.tableMeta(t)) // unset when there is none
	}
	if s.core.FEConfig("enable_feature_binlog") == "true" {
		s.addDropped(meta, s.core.Dropped(db.ID))
	}
	return meta
}

// systemDatabase is a database of the frontend itself: it has no tables that
// could be replicated. Nil for any other.
func systemDatabase(r *frontendservice.TGetMetaDB) *catalog.Database {
	for id, name := range []string{"information_schema", "mysql"} {
		if r.ID == nil && r.GetName() == name || r.ID != nil && *r.ID == int64(id) {
			return &catalog.Database{ID: int64(id), Name: name}
		}
	}
	return nil
}

func (s *service) addDropped(meta *frontendservice.TGetMetaDBMeta, d core.Dropped) {
	meta.DroppedPartitions = slices.AppendSeq([]int64{}, maps.Keys(d.Partitions))
	meta.DroppedTables = slices.AppendSeq([]int64{}, maps.Keys(d.Tables))
	meta.DroppedIndexes = slices.AppendSeq([]int64{}, maps.Keys(d.Indexes))
	if s.has.droppedMaps {
		meta.DroppedPartitionMap, meta.DroppedTableMap, meta.DroppedIndexMap = filled(d.Partitions), filled(d.Tables), filled(d.Indexes)
	}
}

// filled is m, or an empty map, which is sent where nil is not.
func filled(m map[int64]int64) map[int64]int64 {
	if m == nil {
		return map[int64]int64{}
	}
	return m
}

// wantedTables are the OLAP tables asked for by id, or else by name, or all.
func (s *service) wantedTables(db *catalog.Database, r *frontendservice.TGetMetaDB) []*catalog.Table {
	var tables []*catalog.Table
	if r.Tables == nil {
		tables = slices.Collect(maps.Values(db.Tables))
	}
	for _, want := range r.Tables {
		t, known := db.Tables[want.GetName()]
		if want.ID != nil {
			var home *catalog.Database
			home, t, known = s.core.TableByID(*want.ID)
			known = known && home == db
		}
		if known {
			tables = append(tables, t)
		}
	}
	tables = slices.DeleteFunc(tables, func(t *catalog.Table) bool { return t.Kind == catalog.View || t.Kind.External() })
	slices.SortFunc(tables, func(a, b *catalog.Table) int { return cmp.Compare(a.ID, b.ID) })
	return slices.Compact(tables)
}

func (s *service) tableMeta(t *catalog.Table) *frontendservice.TGetMetaTableMeta {
	meta := &frontendservice.TGetMetaTableMeta{ID: pointer(t.ID), Name: pointer(t.Name), Partitions: []*frontendservice.TGetMetaPartitionMeta{}}
	if s.has.tableType {
		meta.Type = pointer(string(t.Kind))
	}
	for _, p := range core.Partitions(t) {
		part := &frontendservice.TGetMetaPartitionMeta{
			ID: pointer(p.ID), Name: pointer(p.Name), Range: pointer(rangetext.RangeText(t, p, s.has.javaLists)),
			VisibleVersion: pointer(p.VisibleVersion), Indexes: []*frontendservice.TGetMetaIndexMeta{},
		}
		if s.has.tableType && t.Temporary[p.Name] == p {
			part.IsTemp = pointer(true)
		}
		for _, idx := range core.SortedIndexes(t) {
			part.Indexes = append(part.Indexes, indexMeta(t, p, idx))
		}
		meta.Partitions = append(meta.Partitions, part)
	}
	return meta
}

func indexMeta(t *catalog.Table, p *catalog.Partition, idx *catalog.Index) *frontendservice.TGetMetaIndexMeta {
	name := idx.Name
	if idx.ID == t.BaseIndexID {
		name = t.Name
	}
	meta := &frontendservice.TGetMetaIndexMeta{ID: pointer(idx.ID), Name: &name, Tablets: []*frontendservice.TGetMetaTabletMeta{}}
	for _, tablet := range p.Tablets[idx.ID] {
		replicas := make([]*frontendservice.TGetMetaReplicaMeta, len(tablet.Replicas))
		for i, r := range tablet.Replicas {
			replicas[i] = &frontendservice.TGetMetaReplicaMeta{ID: pointer(r.ID), BackendID: pointer(r.BackendID), Version: pointer(r.Version)}
		}
		meta.Tablets = append(meta.Tablets, &frontendservice.TGetMetaTabletMeta{ID: pointer(tablet.ID), Replicas: replicas})
	}
	return meta
}
