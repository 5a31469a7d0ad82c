package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestReplicaStatus: a person finds the replica that has missed a load because
// its backend was down.
func TestReplicaStatus(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "orders", 3)
	s.exec("INSERT INTO `%s`.`orders` VALUES (1, 1)", db)
	bad := func() []row { return s.query("ADMIN SHOW REPLICA STATUS FROM `%s`.`orders` WHERE Status != 'OK'", db) }
	require.Empty(t, bad())
	require.NoError(t, c.KillBE(1))
	s.exec("INSERT INTO `%s`.`orders` VALUES (2, 2)", db)
	missed := bad()
	require.Len(t, missed, 2, "one replica of each bucket")
	require.Equal(t, itoa(c.BE(1).ID()), missed[0]["BackendId"])
	require.Equal(t, "DEAD", missed[0]["Status"])
	require.Equal(t, "2", missed[0]["Version"])
	require.Equal(t, "3", missed[0]["LastFailedVersion"])
	require.NoError(t, c.RestartBE(1))
	require.Eventually(t, func() bool { return len(bad()) == 0 }, patience, 5*time.Millisecond, "it is repaired")
}
