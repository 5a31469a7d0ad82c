package console

import (
	"slices"

	"github.com/doris-ccr/ccr/job"
)

// sizesData is what both clusters say of the tables of a page.
type sizesData struct {
	// Errors say why nothing is known of a side.
	Errors []string
}

// count asks both clusters for the rows and bytes of the tables that are shown. Nobody is asked unless a person
// wants that: it costs a short workflow, and a statement on each cluster.
func (s *Console) count(v *visit, d *jobData) {
	wanted := job.TableSizesWanted{Job: d.Name}
	rows := d.Tables.Rows
	for _, r := range rows {
		if r.counted() {
			wanted.Source, wanted.Destination = append(wanted.Source, r.Name), append(wanted.Destination, destinationName(d.Spec, r.Name))
		}
	}
	d.Tables.Sizes = &sizesData{}
	sizes, err := s.Backend.TableSizes(v.c, wanted)
	if err != nil {
		d.Tables.Sizes.Errors = []string{err.Error()}
		return
	}
	for _, text := range []string{sizes.Source.Error, sizes.Destination.Error} {
		if text != "" {
			d.Tables.Sizes.Errors = append(d.Tables.Sizes.Errors, text)
		}
	}
	for i, r := range rows {
		rows[i].Source, rows[i].Destination = sizeOf(sizes.Source, r.Name), sizeOf(sizes.Destination, destinationName(d.Spec, r.Name))
	}
}

// counted tells whether a cluster can tell the size: views and external tables have none.
func (r *tableRow) counted() bool { return r.Kind == "" }

// destinationName is the name of a table on the destination: only a job of one table may have another there.
func destinationName(s job.Spec, source string) string {
	if s.Type() == job.TableSync {
		return s.Destination.Table
	}
	return source
}

func sizeOf(side job.SideSizes, name string) *job.TableSize {
	if size, known := side.Tables[name]; known {
		return &size
	}
	return nil
}

// addVerified puts what the last verification has found into the rows of tables.
func addVerified(rows []tableRow, report *job.VerifyReport) {
	if report == nil {
		return
	}
	for i := range rows {
		at := slices.IndexFunc(report.Tables, func(t job.VerifiedTable) bool {
			return t.TableID == rows[i].ID && t.TableID != 0 || t.TableID == 0 && t.Table == rows[i].Name
		})
		if at >= 0 {
			rows[i].Verified = &report.Tables[at]
		}
	}
}
