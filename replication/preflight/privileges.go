package preflight

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// What an account needs on its database, as SHOW GRANTS spells it; docs/security.md
// says what for. Admin_priv stands for all of them.
var (
	sourcePrivileges      = []string{"Select_priv", "Load_priv"}
	destinationPrivileges = []string{"Select_priv", "Load_priv", "Alter_priv", "Create_priv", "Drop_priv"}
)

const adminPrivilege = "Admin_priv"

// grants is what SHOW GRANTS tells of an account, by scope: "" for everywhere,
// else a catalog, a database or a table with everything that contains it.
type grants map[string][]string

// readGrants asks for the privileges of the account. nil: the server tells them
// in no way that is known here.
func readGrants(c *pair.Cluster, ctx context.Context) (grants, error) {
	rows, err := c.SQL.Query(ctx, "SHOW GRANTS")
	if err != nil {
		return nil, err
	}
	g := grants{}
	for _, row := range rows {
		if everywhere := privilegesIn(row.Get("GlobalPrivs")); len(everywhere) > 0 {
			g[""] = append(g[""], everywhere...)
		}
		for _, column := range []string{"CatalogPrivs", "DatabasePrivs", "TablePrivs"} {
			for _, entry := range strings.Split(row.Get(column), ";") {
				scope, list, ok := strings.Cut(entry, ":")
				if ok {
					scope = strings.TrimSpace(scope)
					g[scope] = append(g[scope], privilegesIn(list)...)
				}
			}
		}
	}
	if len(g) == 0 {
		return nil, nil
	}
	return g, nil
}

// privilegesIn reads a list such as "Select_priv,Load_priv" or, of older servers,
// "Select_priv Load_priv  (false)".
func privilegesIn(text string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }),
		func(word string) bool { return !strings.HasSuffix(strings.ToLower(word), "_priv") })
}

// has tells whether one of the scopes that contain the table, or the database
// for "", gives the privilege.
func (g grants) has(privilege, database, table string) bool {
	scopes := []string{"", "internal", "internal." + database, database}
	if table != "" {
		scopes = append(scopes, "internal."+database+"."+table, database+"."+table)
	}
	for _, scope := range scopes {
		if slices.ContainsFunc(g[scope], func(p string) bool {
			return strings.EqualFold(p, privilege) || strings.EqualFold(p, adminPrivilege)
		}) {
			return true
		}
	}
	return false
}

// missingPrivileges lists what the account lacks on its database or table.
func missingPrivileges(c *pair.Cluster, ctx context.Context, needed []string) ([]string, error) {
	g, err := readGrants(c, ctx)
	if err != nil || g == nil {
		return nil, err
	}
	var missing []string
	for _, p := range needed {
		if !g.has(p, c.Spec.Database, privilegedTable(c, p)) {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

// privilegedTable is the table on which a privilege suffices for a table job.
// Create and Load are needed on the database: its restores create the table
// under other names as well.
func privilegedTable(c *pair.Cluster, privilege string) string {
	if c.Side == "source" {
		return c.Spec.Table
	}
	return ""
}

// lacking words what an account lacks, and the remedy.
func lacking(c *pair.Cluster, missing []string) (text, remedy string) {
	where := "internal." + sqlclient.Quote(c.Spec.Database) + ".*"
	text = fmt.Sprintf("%s cluster %s: user %s lacks %s on database %s", c.Side,
		net.JoinHostPort(c.Spec.Host, strconv.Itoa(c.Spec.Port)), c.Spec.User, strings.Join(missing, ", "), c.Spec.Database)
	remedy = fmt.Sprintf("GRANT %s ON %s TO %s", strings.ToUpper(strings.Join(missing, ", ")), where, sqlclient.QuoteString(c.Spec.User))
	return text, remedy
}

// checkPrivileges refuses an account that would fail later, in the middle of a
// snapshot.
func (j *Job) checkPrivileges(ctx context.Context) error {
	for _, side := range []struct {
		c      *pair.Cluster
		needed []string
	}{{j.Source, sourcePrivileges}, {j.Destination, destinationPrivileges}} {
		if err := privileged(ctx, side.c, side.needed); err != nil {
			return err
		}
	}
	return nil
}

// privileged refuses an account that lacks one of the privileges.
func privileged(ctx context.Context, c *pair.Cluster, needed []string) error {
	missing, err := missingPrivileges(c, ctx, needed)
	if err != nil {
		return Refused(c, "read the privileges of its user", err)
	}
	if len(missing) > 0 {
		text, remedy := lacking(c, missing)
		return problem.Refusef("%s (%s)", text, remedy)
	}
	return nil
}

// checkAccount looks at the privileges of one side's account, and tells whether
// it has what is needed, as far as that is known.
func (s *setup) checkAccount(ctx context.Context, c *pair.Cluster, needed []string) bool {
	check := c.Side + ": privileges"
	missing, err := missingPrivileges(c, ctx, needed)
	switch {
	case err != nil:
		s.failed(check, Refused(c, "read the privileges of its user", err), "")
	case len(missing) > 0:
		text, remedy := lacking(c, missing)
		s.add(check, job.CheckFail, remedy, "%s", text)
	default:
		s.add(check, job.CheckPass, "", "user %s has %s", c.Spec.User, strings.Join(needed, ", "))
	}
	return len(missing) == 0
}
