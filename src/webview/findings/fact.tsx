/** A number with its name, in a list of facts. */
export function Fact({ name, value, more }: { readonly name: string; readonly value: string; readonly more?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value} {more && <span class="muted">{more}</span>}
      </dd>
    </div>
  );
}
