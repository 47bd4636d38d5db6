// Where the tours stop: `at` is a chapter, or an equation in it, or the network with `step` or `tab`. {δ^2_1} is a number of X2.
// `ask` stands there until the reader wants to see `shows`, the step that answers.

export const TOURS = {
  backward: {
    name: "Backward pass",
    stops: [
      { step: "L", text: "The forward pass is done: y₁ is {y_1}, the target 0.5, so L is {L}. How should each weight change?" },
      {
        at: "#backward-pass",
        text: "A weight acts through the net of its unit only. So one δ for each unit gives all gradients: −δ times what came in.",
      },
      { step: "e^2_1", text: "E13 begins with the error t − y = {e^2_1}: the output is too large." },
      {
        step: "e^2_1", shows: "δ^2_1",
        ask: "Think first: which sign has δ²₁, and is it larger or smaller than e?",
        text: "δ²₁ is {δ^2_1}: the sign of e, and smaller, because the slope σ′ of a sigmoid is at most ¼.",
      },
      { step: "e^1_1", text: "E14, its sum: through its weight 0.3 the hidden unit 1 gets {e^1_1} back." },
      {
        step: "e^1_1", shows: "δ^1_1",
        ask: "Think first: which sign has δ¹₁?",
        text: "δ¹₁ is {δ^1_1}. The slope is above 0 and so is the weight, so the sign stays.",
      },
      {
        step: "e^1_2", shows: "δ^1_2",
        ask: "Think first: unit 2 is reached through a weight of 0.9, not 0.3. Is δ¹₂ about three times δ¹₁?",
        text: "δ¹₂ is {δ^1_2}, three times as much: it carries more of the responsibility.",
      },
      { at: "#backward-pass E15", text: "E15 says both cases at once: an error e comes in, the slope σ′ amplifies it, δ goes out." },
      {
        step: "δ^1_2", shows: "∂L/∂W^1_11",
        ask: "Think first: E12 is −δ times x. Which sign has ∂L/∂W¹₁₁?",
        text: "{∂L/∂W^1_11}, above 0: a smaller weight makes a smaller loss. That is the whole backward pass.",
      },
    ],
  },
  lecture: {
    name: "Whole lecture",
    stops: [
      {
        at: "#three-steps",
        text: "Three steps: a set of functions, a loss, and the way to the best function. All that follows belongs to one of them.",
      },
      { at: "#unit", text: "Read E1 and E2, then move net in the figure: where is the slope largest, and how large is it?" },
      { step: "net^1_1", text: "The first number of X2. Both columns say the same: by hand, and by autograd." },
      { step: "x^1_1", text: "E2: the sigmoid makes {x^1_1} of it. The slide rounds to 0.68 and goes on with that." },
      {
        at: "#function-set",
        text: "The same for a whole layer is a matrix product, E4. X1 has two outputs: compare the slides with the exact numbers.",
      },
      { at: "#goodness", text: "The loss says how good an output is. Move y to 0.01: which loss cares more?" },
      { step: "L", text: "X2 puts out {y_1} where 0.5 is wanted: L is {L}." },
      { at: "#gradient-descent", text: "Each weight steps against its gradient. Which η is too large here?" },
      { at: "#chain-rule", text: "Two cases are enough: factors of a chain multiply, paths of a fork add up." },
      { at: "#backward-pass", text: "From right to left: follow δ²₁ through the weights into both hidden units." },
      {
        step: "e^1_1", shows: "δ^1_1",
        ask: "Think first: which sign has δ¹₁?",
        text: "δ¹₁ is {δ^1_1}: it keeps the sign of what comes back, for σ′ and the weight are above 0.",
      },
      { step: "∂L/∂W^1_11", text: "E12: −δ¹₁ times the input gives {∂L/∂W^1_11}. So it goes for every weight." },
      { step: "W^1_11 after", text: "E9: the weight becomes {W^1_11 after}. That was one update." },
      { tab: "repeat", text: "Just repeat: make 100 updates and watch the loss fall." },
      { at: "#implementation", text: "For the sigmoid σ′ comes from the stored output, E16. After a softmax it is not needed, E17." },
      { at: "#digit", text: "The same formulas read a digit. Pick one of the last, which go wrong, and see what δ says." },
    ],
  },
};
