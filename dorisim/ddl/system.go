package ddl

import (
	"strconv"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// alterSystem adds, decommissions and drops nodes.
func (e *Executor) alterSystem(s *parser.AlterSystem) error {
	switch s.Action {
	case parser.DecommissionBackend, parser.CancelDecommission:
		return e.core.AlterDecommission(s.Nodes, s.Action == parser.CancelDecommission)
	case parser.DropBackend:
		return core.Errorf("It is highly NOT RECOMMENDED to use DROP BACKEND stmt.It is not safe to directly drop a backend. " +
			"All data on this backend will be discarded permanently. If you insist, use DROPP instead of DROP")
	}
	for _, node := range s.Nodes {
		if err := e.alterNode(s.Action, node); err != nil {
			return err
		}
	}
	return nil
}

func (e *Executor) alterNode(action parser.SystemAction, node string) error {
	switch action {
	case parser.AddBackend:
		return e.core.AlterAddBackend(node)
	case parser.DroppBackend:
		return e.core.AlterDropBackend(node)
	case parser.AddFollower:
		return e.core.AlterAddFrontend("FOLLOWER", node)
	case parser.AddObserver:
		return e.core.AlterAddFrontend("OBSERVER", node)
	case parser.DropFollower:
		return e.core.AlterDropFrontend("FOLLOWER", node)
	case parser.DropObserver:
		return e.core.AlterDropFrontend("OBSERVER", node)
	}
	return core.Errorf("ALTER SYSTEM %s is not supported", action)
}

// setReplica is ADMIN SET REPLICA STATUS.
func (e *Executor) setReplica(s *parser.AdminSetReplica) error {
	number := func(key string) (int64, error) {
		n, err := strconv.ParseInt(s.Properties[key], 10, 64)
		if err != nil {
			return 0, core.Errorf("Invalid %s format: %s", key, s.Properties[key])
		}
		return n, nil
	}
	tablet, err := number("tablet_id")
	if err != nil {
		return err
	}
	backend, err := number("backend_id")
	if err != nil {
		return err
	}
	switch status := s.Properties["status"]; status {
	case "bad", "ok":
		e.core.SetReplicaBad(tablet, backend, status == "bad")
		return nil
	default:
		return core.Errorf("Do not support setting replica status as %s", status)
	}
}
