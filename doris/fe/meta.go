package fe

import (
	"context"
	"maps"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
)

// MasterToken returns the token that the cluster's backends ask for when
// snapshot files are downloaded. It is a secret.
func (c *Client) MasterToken(ctx context.Context) (string, error) {
	op := operation{method: "getMasterToken", timeout: c.cfg.RPCTimeout, repeatable: true}
	r, err := call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TGetMasterTokenResult_, error) {
		return s.GetMasterToken(ctx, &frontendservice.TGetMasterTokenRequest{Cluster: new(string), User: &c.cfg.User, Password: &c.cfg.Password})
	})
	if err != nil {
		return "", err
	}
	if r.GetToken() == "" {
		return "", incomplete(op.method, "the token is missing")
	}
	return r.GetToken(), nil
}

// Backends returns all backends of the cluster, dead ones included.
func (c *Client) Backends(ctx context.Context) ([]meta.Backend, error) {
	op := operation{method: "getBackendMeta", timeout: c.cfg.RPCTimeout, repeatable: true}
	r, err := call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TGetBackendMetaResult_, error) {
		return s.GetBackendMeta(ctx, &frontendservice.TGetBackendMetaRequest{Cluster: new(string), User: &c.cfg.User, Passwd: &c.cfg.Password})
	})
	if err != nil {
		return nil, err
	}
	if len(r.Backends) == 0 {
		return nil, incomplete(op.method, "it names no backend")
	}
	backends := make([]meta.Backend, 0, len(r.Backends))
	for _, b := range r.Backends {
		if b.GetID() == 0 || b.GetHost() == "" {
			return nil, incomplete(op.method, "a backend has no id or no host")
		}
		backends = append(backends, meta.Backend{
			ID: b.GetID(), Host: b.GetHost(), Port: int(b.GetBePort()), HTTPPort: int(b.GetHTTPPort()),
			Alive: !b.IsSetIsAlive() || b.GetIsAlive(),
		})
	}
	return backends, nil
}

// MetaRequest names a database and, to get less than all of it, some of its
// tables. Ids win over names.
type MetaRequest struct {
	DatabaseID int64
	Database   string
	TableIDs   []int64
	Tables     []string
}

// Meta returns the metadata of a database. Tables that do not exist are missing
// in the result; a missing database is ErrDatabaseNotFound.
func (c *Client) Meta(ctx context.Context, req MetaRequest) (*meta.Database, error) {
	op := operation{method: "getMeta", timeout: c.cfg.RPCTimeout, repeatable: true}
	r, err := call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TGetMetaResult_, error) {
		return s.GetMeta(ctx, &frontendservice.TGetMetaRequest{User: &c.cfg.User, Passwd: &c.cfg.Password, Db: metaQuestion(req)})
	})
	if err != nil {
		return nil, err
	}
	if r.DbMeta == nil {
		return nil, &missingDatabaseError{id: req.DatabaseID, name: req.Database}
	}
	return metaAnswer(r.DbMeta)
}

func metaQuestion(req MetaRequest) *frontendservice.TGetMetaDB {
	q := &frontendservice.TGetMetaDB{}
	if req.DatabaseID > 0 {
		q.ID = &req.DatabaseID
	}
	if req.Database != "" {
		q.Name = &req.Database
	}
	for _, id := range req.TableIDs {
		q.Tables = append(q.Tables, &frontendservice.TGetMetaTable{ID: &id})
	}
	for _, name := range req.Tables {
		q.Tables = append(q.Tables, &frontendservice.TGetMetaTable{Name: &name})
	}
	return q
}

func metaAnswer(a *frontendservice.TGetMetaDBMeta) (*meta.Database, error) {
	const method = "getMeta"
	if a.GetID() == 0 {
		return nil, incomplete(method, "the database has no id")
	}
	db := &meta.Database{
		ID: a.GetID(), Name: a.GetName(),
		Tables:            make(map[int64]*meta.Table, len(a.Tables)),
		DroppedPartitions: dropped(a.DroppedPartitions, a.DroppedPartitionMap),
		DroppedTables:     dropped(a.DroppedTables, a.DroppedTableMap),
		DroppedIndexes:    dropped(a.DroppedIndexes, a.DroppedIndexMap),
	}
	for _, t := range a.Tables {
		table, err := tableAnswer(t)
		if err != nil {
			return nil, err
		}
		db.Tables[table.ID] = table
	}
	return db, nil
}

// dropped unites the older lists of ids with the newer maps to commit seqs.
func dropped(ids []int64, seqs map[int64]int64) map[int64]int64 {
	all := make(map[int64]int64, max(len(ids), len(seqs)))
	for _, id := range ids {
		all[id] = 0
	}
	maps.Copy(all, seqs)
	return all
}

func tableAnswer(t *frontendservice.TGetMetaTableMeta) (*meta.Table, error) {
	if t.GetID() == 0 || t.GetName() == "" {
		return nil, incomplete("getMeta", "table %q has no id or no name", t.GetName())
	}
	table := &meta.Table{ID: t.GetID(), Name: t.GetName(), Type: t.GetType(),
		Partitions: make([]*meta.Partition, 0, len(t.Partitions))}
	for _, p := range t.Partitions {
		partition, err := partitionAnswer(table, p)
		if err != nil {
			return nil, err
		}
		table.Partitions = append(table.Partitions, partition)
	}
	return table, nil
}

func partitionAnswer(t *meta.Table, p *frontendservice.TGetMetaPartitionMeta) (*meta.Partition, error) {
	const method = "getMeta"
	if p.GetID() == 0 || len(p.Indexes) == 0 {
		return nil, incomplete(method, "partition %q of %s has no id or no index", p.GetName(), t.Name)
	}
	partition := &meta.Partition{
		ID: p.GetID(), Name: p.GetName(), Range: p.GetRange(), Key: meta.NormalizeRange(p.GetRange()),
		VisibleVersion: p.GetVisibleVersion(), Temporary: p.GetIsTemp(),
		Indexes: make([]*meta.Index, 0, len(p.Indexes)),
	}
	for _, i := range p.Indexes {
		if i.GetID() == 0 || i.GetName() == "" || len(i.Tablets) == 0 {
			return nil, incomplete(method, "index %q in partition %s of %s has no id, no name or no tablet", i.GetName(), partition.Name, t.Name)
		}
		index := &meta.Index{ID: i.GetID(), Name: i.GetName(), Tablets: make([]*meta.Tablet, 0, len(i.Tablets))}
		for _, tablet := range i.Tablets {
			index.Tablets = append(index.Tablets, tabletAnswer(tablet))
		}
		partition.Indexes = append(partition.Indexes, index)
	}
	return partition, nil
}

func tabletAnswer(t *frontendservice.TGetMetaTabletMeta) *meta.Tablet {
	tablet := &meta.Tablet{ID: t.GetID(), Replicas: make([]meta.Replica, 0, len(t.Replicas))}
	for _, r := range t.Replicas {
		tablet.Replicas = append(tablet.Replicas, meta.Replica{ID: r.GetID(), BackendID: r.GetBackendID(), Version: r.GetVersion()})
	}
	return tablet
}
