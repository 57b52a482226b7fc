// The other error of this layer, besides the halt: the engine did not answer now. Nothing is known
// to be wrong with the journal, so whoever asked may ask again.

/**
 * Thrown by every call but `append` (which answers `unknown` instead) when the engine could not be
 * reached or did not answer in time. It is no halt: ask again after a pause, or give up and say so.
 */
export class EngineUnavailable extends Error {
  override readonly name = "EngineUnavailable";
}
