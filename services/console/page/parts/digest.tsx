const shownCharacters = 8;

/** The beginning of a digest, enough to compare by eye; the whole of it on request. */
export function Digest({ digest }: { readonly digest: string }) {
  if (digest === "") return <>—</>;
  return (
    <code title={digest}>
      {digest.slice(0, shownCharacters)}
      {digest.length > shownCharacters && "…"}
    </code>
  );
}
