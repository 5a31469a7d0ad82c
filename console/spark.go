package console

// sparkline is the line of a small picture of the last hour.
type sparkline struct {
	// Points are those of an SVG polyline in a box of 100 by 20; "" = nothing is known.
	Points string
	// Most is the greatest value.
	Most int64
}
