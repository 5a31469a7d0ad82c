package backup

import (
	"maps"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// addOdbc lists an ODBC table and the resource that it uses.
func (o *otherObjects) addOdbc(t *catalog.Table) {
	o.OdbcTables = append(o.OdbcTables, newOdbcTable(t))
	used := odbcResource{Name: t.Properties["odbc_catalog_resource"]}
	if used.Name != "" && !slices.Contains(o.OdbcResources, used) {
		o.OdbcResources = append(o.OdbcResources, used)
	}
}

// keepOdbc leaves the listed ODBC tables in the job, and their resources.
func (o *otherObjects) keepOdbc(wanted func(name string) bool) {
	tables := o.OdbcTables
	o.OdbcTables, o.OdbcResources = []odbcTable{}, []odbcResource{}
	for _, t := range tables {
		if !wanted(t.Name) {
			continue
		}
		o.OdbcTables = append(o.OdbcTables, t)
		used := odbcResource{Name: t.Resource}
		if t.Resource != "" && !slices.Contains(o.OdbcResources, used) {
			o.OdbcResources = append(o.OdbcResources, used)
		}
	}
}

// planOdbc is check 13 of doris-sql.md 4.6; an equal table is kept. Of the
// resource only the name is restored: the simulator uses none.
func (w *restoreWork) planOdbc(c *core.Core, db *catalog.Database, t *catalog.Table) error {
	name := w.target(t.Name)
	if old, ok := db.Tables[name]; ok {
		if !maps.Equal(old.Properties, t.Properties) || !slices.Equal(columnNames(old), columnNames(t)) {
			return failf("Odbc table %s already exist but with different schema", name)
		}
		return nil
	}
	made := *t
	made.ID, made.DBID, made.Name, made.Created = c.NextID(), db.ID, name, c.Now()
	w.plan.views = append(w.plan.views, &viewPlan{view: &made})
	return nil
}

func columnNames(t *catalog.Table) []string {
	var names []string
	for _, c := range t.Indexes[t.BaseIndexID].Schema.Columns {
		names = append(names, c.Name+" "+string(c.Type.Kind))
	}
	return names
}
