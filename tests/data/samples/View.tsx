export function View({ names }: { names: string[] }) {
  const [open, setOpen] = useState(false);
  return (
    <ul onClick={() => setOpen(!open)}>
      {names.map((name) => (
        <li key={name}>{name}</li>
      ))}
    </ul>
  );
}
