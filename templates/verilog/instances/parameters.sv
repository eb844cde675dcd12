  // Parameters of the channels of a beat, in turn: {{ layout }}.
{{ rom.declaration }}  wire [{{ rom.width - 1 }}:0] parameters;
  netfold_sequence_rom #(
      {{ rom.parameters }},
      .BLOCK({{ block }})
  ) u_parameters (
      .clk(clk),
      .rst(rst),
      .next(in0_take),
      .data(parameters)
  );
