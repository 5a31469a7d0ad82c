package core

import (
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

// rangeText is the partition's identity in UPSERT binlogs (doris-binlogs.md 3.3).
func (c *Core) rangeText(t *catalog.Table, p *catalog.Partition) string {
	return rangetext.RangeText(t, p, false)
}
