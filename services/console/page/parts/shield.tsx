/** The mark of Qalqan: a shield. */
export function Shield() {
  return (
    <svg className="shield" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M16 1.5 28 5.6v10c0 7.2-5 12.4-12 14.9C9 28 4 22.8 4 15.6v-10z" className="shield-body" />
      <path d="m9.5 16 4.6 4.6 8.6-9.2" className="shield-tick" />
    </svg>
  );
}
