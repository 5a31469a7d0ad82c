package sql

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/ddl"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// showResources has a row for each property of a resource (doris-sql.md 5.6).
func (s *session) showResources() *listing {
	l := newListing("Name", "ResourceType", "Item", "Value")
	for _, o := range s.server.cfg.DDL.Objects(parser.ResourceObject, "") {
		kind := strings.ToLower(o.Properties["type"])
		l.add(o.Name, kind, "id", o.ID)
		for _, key := range slices.Sorted(maps.Keys(o.Properties)) {
			value := o.Properties[key]
			if strings.Contains(strings.ToLower(key), "secret") || strings.Contains(strings.ToLower(key), "password") {
				value = "******"
			}
			if key != "type" {
				l.add(o.Name, kind, key, value)
			}
		}
	}
	return l
}

// showStoragePolicies is SHOW STORAGE POLICY [USING ...].
func (s *session) showStoragePolicies(c *cursor) (*sqltypes.Result, error) {
	if !c.keyword("POLICY") {
		return nil, c.mismatch()
	}
	if c.keyword("USING") {
		return newListing("PolicyName", "Database", "Table", "Partitions").result(), nil
	}
	l := newListing("PolicyName", "Id", "Version", "Type", "StorageResource", "CooldownDatetime", "CooldownTtl")
	for _, o := range s.server.cfg.DDL.Objects(parser.StoragePolicyObject, "") {
		ttl, at := o.Properties["cooldown_ttl"], o.Properties["cooldown_datetime"]
		if ttl == "" {
			ttl = "-1"
		}
		if at == "" {
			at = "-1"
		}
		l.add(o.Name, o.ID, o.Version, "STORAGE", o.Properties["storage_resource"], at, ttl)
	}
	return l.result(), nil
}

// showFunctions is SHOW [FULL] FUNCTIONS [FROM db] [LIKE ..]; without FULL it
// prints the names only.
func (s *session) showFunctions(ctx context.Context, c *cursor, full bool) (*sqltypes.Result, error) {
	database, err := s.fromDatabase(c)
	if err != nil {
		return nil, err
	}
	l := newListing("Signature", "Return Type", "Function Type", "Intermediate Type", "Properties")
	if !full {
		l = newListing("Function Name")
	}
	pattern := "%"
	if c.keyword("LIKE") { // compares names, which the full form does not list
		if pattern, err = c.text(); err != nil {
			return nil, err
		}
	}
	for _, o := range s.server.cfg.DDL.Objects(parser.FunctionObject, database) {
		switch {
		case !like(o.Name, pattern, true):
			continue
		case !full:
			l.add(o.Name)
			continue
		}
		l.add(o.Signature(), o.Returns, functionType(o), "NULL", propertiesText(o.Properties))
	}
	return s.filter(ctx, c, l, "", true)
}

func functionType(o ddl.Object) string {
	switch o.Class {
	case "ALIAS":
		return "ALIAS/SCALAR"
	case "AGGREGATE":
		return "AGGREGATE/UDAF"
	case "TABLES":
		return "UDTF"
	}
	return "SCALAR/UDF"
}

func propertiesText(p map[string]string) string {
	var items []string
	for _, key := range slices.Sorted(maps.Keys(p)) {
		items = append(items, `"`+key+`"="`+p[key]+`"`)
	}
	return "{" + strings.Join(items, ",") + "}"
}
