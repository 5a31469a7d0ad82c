package sql

import "github.com/doris-ccr/ccr/dorisim/core"

// workloadStatement runs CREATE, ALTER and DROP WORKLOAD GROUP; ok is false for
// anything else. Groups limit nothing here: a query must name one that exists.
func (s *session) workloadStatement(c *cursor) (ok bool, err error) {
	first := c.peek()
	if !first.Is("CREATE") && !first.Is("ALTER") && !first.Is("DROP") || !c.peekAt(1).Is("WORKLOAD") || !c.peekAt(2).Is("GROUP") {
		return false, nil
	}
	c.pos += 3
	if err := s.needGlobal(core.AdminPriv, "ADMIN"); err != nil {
		return true, err
	}
	lenient := c.keyword("IF", "NOT", "EXISTS") || c.keyword("IF", "EXISTS")
	name, groups := c.next().Text, &s.server.core.Workloads // a name may be quoted as a text
	switch {
	case first.Is("CREATE"):
		if !groups.Add(name) && !lenient {
			return true, core.Errorf("workload group %s already exist", name)
		}
	case !groups.Has(name) && first.Is("ALTER"):
		return true, core.Errorf("workload group %s does not exist", name)
	case !groups.Has(name) && !lenient:
		return true, core.Errorf("workload group(%s) does not exist.", name)
	case first.Is("DROP") && name == core.NormalWorkload:
		return true, core.Errorf("Dropping default workload group %s is not allowed", name)
	case first.Is("DROP"):
		groups.Remove(name)
	}
	return true, nil
}

// checkWorkloadGroup refuses a query under a workload group that does not exist.
// Everybody may use every group.
func (s *session) checkWorkloadGroup() error {
	name, _ := s.variable("workload_group")
	if name != "" && !s.server.core.Workloads.Has(name) {
		return core.Errorf("Workload group %s does not exist", name)
	}
	return nil
}
