package reach

// Memo is a View that keeps what several computations have in common, and computes it again
// when what it read has changed.
type Memo interface {
	View
	Memo(kind, of string, compute func(View) any) any
}

// Share returns what compute makes of a view, kept where the view can keep it. Kind and of
// name all that compute uses beyond the view that it is given. The value is shared: nobody
// may change it.
func Share[T any](v View, kind, of string, compute func(View) T) T {
	m, ok := v.(Memo)
	if !ok {
		return compute(v)
	}
	x, _ := m.Memo(kind, of, func(v View) any { return compute(v) }).(T)
	return x
}
