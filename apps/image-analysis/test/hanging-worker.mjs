// A worker that never answers and never yields: what a picture that sends a loop astray would look like.
export default function hang() {
  for (;;);
}
